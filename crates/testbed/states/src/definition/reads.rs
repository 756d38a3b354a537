//! What the expressions of a field may read of `$states`.

use super::Keeps;
use super::fields::Fields;
use crate::template::Template;

/// The parts of `$states` that exist everywhere.
const ALWAYS: [&str; 4] = ["input", "context.Execution", "context.StateMachine", "context.State.EnteredTime"];

/// Those that exist besides: in the arguments of a task whose token is waited for, in what is made of an item, in what
/// is kept of a success, and in what is kept of an error.
pub const TOKEN: &[&str] = &["context.Task"];
pub const ITEM: &[&str] = &["context.Map"];
pub const RESULT: &[&str] = &["result"];
pub const ERROR: &[&str] = &["errorOutput"];

/// Refuses a template that reads something else.
pub fn check(fields: &Fields<'_>, template: &Template, more: &[&str]) -> Result<(), String> {
    for expression in template.expressions() {
        for (_, names) in expression.reads().into_iter().filter(|(variable, _)| *variable == "states") {
            let known = ALWAYS.iter().chain(more).any(|known| {
                known
                    .split('.')
                    .enumerate()
                    .all(|(place, part)| names.get(place).is_some_and(|name| name == part))
            });
            if !known {
                let path = names.iter().map(|name| format!(".{name}")).collect::<String>();
                let why = format!(
                    "the expression {expression} reads $states{path}, which is not known in this field"
                );
                return Err(fields.wrong(template.field(), why));
            }
        }
    }
    Ok(())
}

pub fn check_kept(fields: &Fields<'_>, keeps: &Keeps, more: &[&str]) -> Result<(), String> {
    let all = keeps.assign.iter().map(|(_, template)| template).chain(&keeps.output);
    all.into_iter().try_for_each(|template| check(fields, template, more))
}
