//! What the console asks for: which widget, and for whom it is drawn.

use pipeline::Fault;
use pipeline::document::read;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::Outcome;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What the console adds to the parameters of a widget.
const CONTEXT: &str = "widgetContext";

/// One call.
#[derive(Clone, Debug)]
pub struct Request {
    /// The widget.
    pub view: View,
    /// For whom.
    pub context: Context,
}

/// A widget, with its parameters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "view", rename_all = "camelCase", deny_unknown_fields)]
pub enum View {
    /// Services by environments.
    Environments {
        /// The service behind which the page begins.
        #[serde(default)]
        after: Option<ServiceName>,
    },
    /// Runs, the newest first.
    Releases {
        /// Those of one environment alone.
        #[serde(default)]
        environment: Option<EnvironmentName>,
        /// Those that ended so alone.
        #[serde(default)]
        outcome: Option<Outcome>,
        /// The place in the list before which the page begins.
        #[serde(default)]
        before: Option<String>,
    },
    /// One release.
    Release {
        /// Which.
        release: ReleaseId,
        /// The first of its moves that is shown.
        #[serde(default)]
        from: usize,
    },
}

/// For whom a widget is drawn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Context {
    /// `dark`, or anything else for light.
    pub theme: String,
    /// How many pixels there are from left to right.
    pub width: f64,
    /// How far the clock of who looks is from UTC.
    pub timezone: Timezone,
    /// What stands in the fields of the widget.
    pub forms: Forms,
    /// The parameters that the widget was added with.
    pub params: Value,
}

/// The clock of who looks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Timezone {
    /// As in `+01:00`.
    #[serde(rename = "offsetISO")]
    pub offset: String,
}

/// The fields of a widget.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Forms {
    /// Their values, by their names.
    pub all: Map<String, Value>,
}

impl Context {
    /// Returns what somebody typed or chose in a field; none if it is empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.forms.all.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// Returns the way to the list of releases, as the widget was added if it is such a list.
    pub fn list(&self) -> Value {
        let own = Some(&self.params).filter(|params| params.get("view") == Some(&"releases".into()));
        own.cloned().unwrap_or_else(|| json!({"view": "releases"}))
    }

    /// Takes the context out of a payload; what is wrong with it stops nobody from looking.
    pub(crate) fn take(payload: &mut Value) -> Context {
        let context = payload.as_object_mut().and_then(|payload| payload.remove(CONTEXT));
        context.and_then(|context| serde_json::from_value(context).ok()).unwrap_or_default()
    }
}

/// Tells whether it is only asked what there is.
pub(crate) fn describes(payload: &Value) -> bool {
    payload.get("describe") == Some(&Value::Bool(true))
}

impl Request {
    /// Reads a call.  What is chosen in the fields of the widget counts more than what it was drawn with.
    pub fn read(mut payload: Value) -> Result<Self, Fault> {
        let context = Context::take(&mut payload);
        if let Some(payload) =
            payload.as_object_mut().filter(|payload| payload.get("view") == Some(&"releases".into()))
        {
            for name in
                ["environment", "outcome"].into_iter().filter(|name| context.forms.all.contains_key(*name))
            {
                let chosen = context.field(name).map_or(Value::Null, Value::from);
                payload.insert(name.to_owned(), chosen);
            }
        }
        Ok(Request { view: read("the widget", payload)?, context })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(payload: Value) -> Result<View, String> {
        Request::read(payload).map(|request| request.view).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_widget_is_named_and_what_is_wrong_with_it_is_said() {
        assert_eq!(view(json!({"view": "environments"})), Ok(View::Environments { after: None }));
        let release = ReleaseId::parse("r1").unwrap();
        assert_eq!(view(json!({"view": "release", "release": "r1"})), Ok(View::Release { release, from: 0 }));
        for (payload, said) in [
            (json!({}), "view"),
            (json!({"view": "enviroments"}), "enviroments"),
            (json!({"view": "release"}), "release"),
            (json!({"view": "release", "release": "<script>"}), "a release"),
            (json!({"view": "releases", "outcome": "deployed"}), "Deployed"),
            (json!({"view": "environments", "page": 2}), "page"),
        ] {
            let fault = view(payload).unwrap_err();
            assert!(fault.contains(said), "{fault}");
        }
    }

    #[test]
    fn what_is_chosen_counts_more_than_what_was_drawn() {
        let chosen = |environment: &str, outcome: &str| {
            let forms = json!({"all": {"environment": environment, "outcome": outcome, "reason": "x"}});
            view(json!({"view": "releases", "environment": "dev", "widgetContext": {"forms": forms}}))
        };
        let releases = |environment: Option<&str>, outcome| View::Releases {
            environment: environment.map(|name| EnvironmentName::parse(name).unwrap()),
            outcome,
            before: None,
        };
        assert_eq!(chosen("prod", "RolledBack"), Ok(releases(Some("prod"), Some(Outcome::RolledBack))));
        assert_eq!(chosen("", ""), Ok(releases(None, None)));
        assert_eq!(view(json!({"view": "releases", "environment": "dev"})), Ok(releases(Some("dev"), None)));
    }

    #[test]
    fn a_strange_context_stops_nobody() {
        for context in [json!(null), json!("x"), json!({"width": "wide"}), json!({"forms": {"all": []}})] {
            assert!(view(json!({"view": "environments", "widgetContext": context})).is_ok());
        }
    }
}
