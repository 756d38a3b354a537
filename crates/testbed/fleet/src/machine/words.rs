//! What somebody does, as a person would tell it.

use std::fmt::{self, Display, Formatter};

use super::{Action, Hand, Pushed};
use crate::fake::{End, RunEnd};

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Action::Start(name, input) => match input["detail"]["image-tag"].as_str() {
                Some(tag) => write!(f, "the event of {tag} starts {name}"),
                None => write!(f, "somebody starts {name}: {input}"),
            },
            Action::Stop(name) => write!(f, "somebody stops {name}"),
            Action::Redrive(name) => write!(f, "somebody has {name} go on"),
            Action::Push(pushed) => pushed.fmt(f),
            Action::Answer { name, mode, back: 0 } => {
                write!(f, "somebody answers the last question: {mode} ({name})")
            }
            Action::Answer { name, mode, back } => {
                write!(f, "somebody answers a question, {back} before the last: {mode} ({name})")
            }
            Action::Bypass => f.write_str("somebody answers every question past the pipeline"),
            Action::Lose(state, later) => {
                write!(f, "the next call of {state} is given up, and does its work {later} ms later")
            }
            Action::Hand(hand) => hand.fmt(f),
            Action::Notify { event, .. } => {
                write!(f, "Step Functions tells that {} ended", event["detail"]["name"])
            }
        }
    }
}

impl Display for Pushed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Pushed { name, repository, end, run, twice, late } = self;
        write!(f, "a build pushes {name} to {repository}")?;
        f.write_str(match end {
            End::Completes => "",
            End::GivenUp => "; its tasks fail",
            End::SentBack => "; its tasks fail, and ECS goes back",
            End::Never => "; its rollouts never complete",
            End::OtherImage => "; its tasks run another image",
            End::AnswersBadly => "; it answers live tests badly",
            End::Unseen => "; ECS does not answer any more",
        })?;
        f.write_str(match run {
            RunEnd::Passes => "",
            RunEnd::Fails => "; its runs fail",
            RunEnd::NeverStarts => "; its runs are never placed",
            RunEnd::NeverEnds => "; its runs never end",
            RunEnd::CannotPull => "; its runs cannot pull it",
            RunEnd::NoRoom => "; there is no room for its runs",
        })?;
        f.write_str(if *twice { "; its event comes twice" } else { "" })?;
        match late {
            0 => Ok(()),
            late => write!(f, "; its event comes {} s late", late / 1000),
        }
    }
}

impl Display for Hand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Hand::Deploy(service, repository) => {
                write!(f, "somebody deploys an image of {repository} to {service}")
            }
            Hand::Force(service) => write!(f, "somebody forces a new deployment of {service}"),
            Hand::Infrastructure(service) => write!(f, "infrastructure code deploys {service}"),
            Hand::Scale(service, tasks) => write!(f, "somebody sets {service} to {tasks} tasks"),
            Hand::Delete(service) => write!(f, "somebody deletes {service}"),
            Hand::Store(name, text) => write!(f, "somebody stores {name}: {text}"),
            Hand::Tag(repository, tag, other) => {
                write!(f, "somebody has the tag {tag} of {repository} name what {other} names")
            }
            Hand::PushUnheard(repository, name) => {
                write!(f, "a build pushes {name} to {repository}; its event is lost")
            }
            Hand::TagUnheard(repository, tag, other) => {
                write!(f, "the tag {tag} of {repository} names what {other} names; the event is lost")
            }
            Hand::Expire(repository, keep) => {
                write!(f, "a lifecycle rule takes all images of {repository} but the last {keep}")
            }
            Hand::Alarm(name, true) => write!(f, "the alarm {name} goes red"),
            Hand::Alarm(name, false) => write!(f, "the alarm {name} is quiet again"),
            Hand::Forget(tag) => write!(f, "somebody takes the tag {tag} away"),
            Hand::Slow(operation, 0) => write!(f, "{operation} is as quick as before"),
            Hand::Slow(operation, milliseconds) => {
                write!(f, "{operation} takes {} s more", milliseconds / 1000)
            }
            Hand::Older => f.write_str("an older version wrote what is known of services"),
            Hand::Annotate => f.write_str("a later version adds a key to every row"),
        }
    }
}
