//! Buttons that start something: each says before what exactly that is.

use maud::{Markup, html};
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::text::line;
use serde::{Deserialize, Serialize};

use super::Frame;

/// How long a question may be: of longer ones nobody knows whether the console shows them whole.
const LONGEST_QUESTION: usize = 300;

/// What a button asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Says what a promotion of all services would do.
    Plan {
        /// Where to.
        environment: EnvironmentName,
    },
    /// Starts a promotion: of all services that are behind, or of one image.
    Promote {
        /// Where to.
        environment: EnvironmentName,
        /// The one service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<ServiceName>,
        /// The repository of its image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repository: Option<Repository>,
        /// The image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<Digest>,
    },
    /// Lets no release into an environment.
    Freeze {
        /// Which.
        environment: EnvironmentName,
    },
    /// Lets them in again.
    Resume {
        /// Where.
        environment: EnvironmentName,
    },
    /// Agrees to a release.
    Approve(Whose),
    /// Turns it down.
    Reject(Whose),
    /// Ends it, and rolls back what it has updated.
    Abort(Whose),
    /// Rolls it back after its end.
    Rollback(Whose),
}

/// The release that something is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whose {
    /// Where.
    pub environment: EnvironmentName,
    /// Which.
    pub release: ReleaseId,
}

impl Act {
    /// Returns its word.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Plan { .. } => "plan",
            Act::Promote { .. } => "promote",
            Act::Freeze { .. } => "freeze",
            Act::Resume { .. } => "resume",
            Act::Approve(_) => "approve",
            Act::Reject(_) => "reject",
            Act::Abort(_) => "abort",
            Act::Rollback(_) => "rollback",
        }
    }
}

/// What a button sends: the act, and the name of the run that it starts.
#[derive(Debug, Serialize)]
struct Pressed<'a> {
    #[serde(flatten)]
    act: &'a Act,
    run: String,
}

/// A button.
pub struct Button<'a> {
    /// What it says.
    pub label: &'a str,
    /// What it is told to who cannot see where it stands.
    pub about: &'a str,
    /// What is asked before.
    pub question: String,
    /// What it starts.
    pub act: Act,
}

impl Frame<'_> {
    /// Shows a button.
    pub fn button(&self, button: &Button<'_>) -> Markup {
        let pressed = Pressed { act: &button.act, run: self.next_run(&button.act) };
        let pressed = serde_json::to_string(&pressed).unwrap_or_default();
        html! {
            button type="button" class="btn" aria-label={ (button.label) " " (button.about) } { (button.label) }
            cwdb-action action="call" display="popup" endpoint=(self.places.acts)
                confirmation=(line(&button.question, LONGEST_QUESTION)) { (pressed) }
        }
    }

    /// Shows a field for why something is asked for.
    pub fn reason(&self) -> Markup {
        html! {
            label class="reason" {
                "Reason "
                input type="text" name="reason" maxlength="1000" placeholder="for freeze, reject, abort, rollback"
                    value=(self.context.field("reason").unwrap_or_default());
            }
        }
    }
}
