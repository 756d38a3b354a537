//! Builds a machine of its definition.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::reads::{self, ERROR, ITEM, RESULT, TOKEN};
use super::{After, Catcher, Integration, Keeps, Kind, Map, Rule, State, States, Task, Until};
use crate::rules::{Retrier, wrong_names};

/// The fields of each type of state, but for `Type` and `Comment`.
const TYPES: [(&str, &[&str]); 7] = [
    (
        "Task",
        &["Resource", "Arguments", "TimeoutSeconds", "Retry", "Catch", "Assign", "Output", "Next", "End"],
    ),
    ("Choice", &["Choices", "Default", "Assign", "Output"]),
    ("Wait", &["Seconds", "Timestamp", "Assign", "Output", "Next", "End"]),
    ("Pass", &["Assign", "Output", "Next", "End"]),
    (
        "Map",
        &[
            "Items",
            "ItemSelector",
            "MaxConcurrency",
            "ToleratedFailurePercentage",
            "Label",
            "ItemProcessor",
            "Retry",
            "Catch",
            "Assign",
            "Output",
            "Next",
            "End",
        ],
    ),
    ("Succeed", &["Output"]),
    ("Fail", &["Error", "Cause"]),
];

/// The integrations, and the arguments of each: those that it needs, and those that it may have.
const INTEGRATIONS: [(&str, Integration, &[&str], &[&str]); 4] = [
    ("lambda:invoke", Integration::Invoke, &["FunctionName"], &["InvocationType", "Payload"]),
    ("lambda:invoke.waitForTaskToken", Integration::InvokeForToken, &["FunctionName"], &["Payload"]),
    (
        "aws-sdk:dynamodb:updateItem",
        Integration::UpdateItem,
        &["TableName", "Key", "UpdateExpression"],
        &["ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"],
    ),
    ("sqs:sendMessage", Integration::SendMessage, &["QueueUrl", "MessageBody"], &[]),
];

pub fn machine(document: &Value) -> Result<States, String> {
    let fields = Fields::of("the machine", document, &["QueryLanguage", "StartAt", "States"])?;
    match fields.text("QueryLanguage")? {
        "JSONata" => states("", &fields),
        other => Err(fields.wrong("QueryLanguage", format!("expected JSONata, not {other}"))),
    }
}

/// Builds the states below a machine or a Map, whose names are in front of theirs.
fn states(before: &str, fields: &Fields<'_>) -> Result<States, String> {
    let all = fields.need("States")?.as_object();
    let all = all.ok_or_else(|| fields.wrong("States", "expected an object"))?;
    let names = Names(all.keys().map(String::as_str).collect());
    let start = names.find(fields, "StartAt", fields.text("StartAt")?)?;
    let all = all.iter().map(|(name, value)| state(&format!("{before}{name}"), name, value, &names));
    Ok(States { start, all: all.collect::<Result<_, _>>()? })
}

/// The names of the states that can follow each other.
struct Names<'a>(Vec<&'a str>);

impl Names<'_> {
    fn find(&self, fields: &Fields<'_>, field: &str, wanted: &str) -> Result<usize, String> {
        let found = self.0.iter().position(|name| *name == wanted);
        found.ok_or_else(|| fields.wrong(field, format!("there is no state {wanted:?} here")))
    }

    fn next(&self, fields: &Fields<'_>, field: &str) -> Result<usize, String> {
        self.find(fields, field, fields.text(field)?)
    }

    fn after(&self, fields: &Fields<'_>) -> Result<After, String> {
        match (fields.get("Next"), fields.get("End")) {
            (Some(_), None) => Ok(After::Next(self.next(fields, "Next")?)),
            (None, Some(Value::Bool(true))) => Ok(After::End),
            _ => Err(fields.wrong("Next", "expected either Next, or End with the value true")),
        }
    }
}

fn state(place: &str, name: &str, value: &Value, names: &Names<'_>) -> Result<State, String> {
    let kind = value["Type"].as_str().unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| *known == kind);
    let (_, known) = known.ok_or_else(|| format!("{place}: Type: {} is not known here", value["Type"]))?;
    let fields = Fields::of(place, value, &[&["Type"], *known].concat())?;
    let keeps = keeps(&fields)?;
    let with_result = ["Task", "Map"].contains(&kind);
    reads::check_kept(&fields, &keeps, if with_result { RESULT } else { &[] })?;
    let kind = match kind {
        "Task" => Kind::Task(task(&fields, names)?),
        "Choice" => choice(place, &fields, names)?,
        "Wait" => Kind::Wait { until: until(&fields)?, after: names.after(&fields)? },
        "Pass" => Kind::Pass { after: names.after(&fields)? },
        "Map" => Kind::Map(map(place, &fields, names)?),
        "Succeed" => Kind::Succeed,
        _ => Kind::Fail { error: checked(&fields, "Error", &[])?, cause: checked(&fields, "Cause", &[])? },
    };
    let [retry, catch] = ["Retry", "Catch"].map(|field| fields.list(field));
    let (retry, catch) = (retrier_list(&fields, retry?)?, catcher_list(&fields, catch?, names)?);
    Ok(State { name: Arc::from(name), kind, keeps, retry, catch })
}

/// Reads a field that may be missing, and may read `more` than every one may.
fn checked(fields: &Fields<'_>, field: &str, more: &[&str]) -> Result<Option<super::Template>, String> {
    let template = fields.optional_template(field)?;
    template.iter().try_for_each(|template| reads::check(fields, template, more))?;
    Ok(template)
}

fn needed(fields: &Fields<'_>, field: &str, more: &[&str]) -> Result<super::Template, String> {
    checked(fields, field, more)?.ok_or_else(|| fields.wrong(field, "it is missing"))
}

fn keeps(fields: &Fields<'_>) -> Result<Keeps, String> {
    let output = fields.optional_template("Output")?;
    let Some(assign) = fields.get("Assign") else { return Ok(Keeps { assign: Vec::new(), output }) };
    let all = assign.as_object().ok_or_else(|| fields.wrong("Assign", "expected an object"))?;
    let assign =
        all.iter().map(|(name, value)| Ok((name.clone(), fields.read(&format!("Assign.{name}"), value)?)));
    Ok(Keeps { assign: assign.collect::<Result<_, String>>()?, output })
}

fn task(fields: &Fields<'_>, names: &Names<'_>) -> Result<Task, String> {
    let resource = fields.text("Resource")?;
    let service =
        resource.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::")).map(|(_, rest)| rest);
    let known = INTEGRATIONS.iter().find(|(name, ..)| Some(*name) == service);
    let Some((_, integration, need, may)) = known else {
        return Err(fields.wrong("Resource", format!("the integration {resource} is not known here")));
    };
    let given = Fields::of(&fields.place("Arguments"), fields.need("Arguments")?, &[*need, *may].concat())?;
    need.iter().try_for_each(|field| given.need(field).map(drop))?;
    let more = if *integration == Integration::InvokeForToken { TOKEN } else { &[] };
    Ok(Task {
        integration: *integration,
        arguments: needed(fields, "Arguments", more)?,
        timeout: checked(fields, "TimeoutSeconds", &[])?,
        after: names.after(fields)?,
    })
}

fn choice(place: &str, fields: &Fields<'_>, names: &Names<'_>) -> Result<Kind, String> {
    let rules = fields.list("Choices")?.iter().enumerate().map(|(n, value)| {
        let place = format!("{place}: Choices[{n}]");
        let fields = Fields::of(&place, value, &["Condition", "Assign", "Output", "Next"])?;
        let keeps = keeps(&fields)?;
        reads::check_kept(&fields, &keeps, &[])?;
        Ok(Rule { condition: needed(&fields, "Condition", &[])?, keeps, next: names.next(&fields, "Next")? })
    });
    let rules = rules.collect::<Result<Vec<_>, String>>()?;
    if rules.is_empty() {
        return Err(fields.wrong("Choices", "expected a rule"));
    }
    let default = fields.get("Default").map(|_| names.next(fields, "Default")).transpose()?;
    Ok(Kind::Choice { rules, default })
}

fn until(fields: &Fields<'_>) -> Result<Until, String> {
    match (fields.get("Seconds"), fields.get("Timestamp")) {
        (Some(_), None) => Ok(Until::Seconds(needed(fields, "Seconds", &[])?)),
        (None, Some(_)) => Ok(Until::Timestamp(needed(fields, "Timestamp", &[])?)),
        _ => Err(fields.wrong("Seconds", "expected either Seconds or Timestamp")),
    }
}

fn map(place: &str, fields: &Fields<'_>, names: &Names<'_>) -> Result<Map, String> {
    let processor = Fields::of(
        &fields.place("ItemProcessor"),
        fields.need("ItemProcessor")?,
        &["ProcessorConfig", "StartAt", "States"],
    )?;
    let inline = Value::Object(serde_json::Map::from_iter([("Mode".to_owned(), Value::from("INLINE"))]));
    let config = processor.get("ProcessorConfig").unwrap_or(&inline);
    let config = Fields::of(&processor.place("ProcessorConfig"), config, &["Mode", "ExecutionType"])?;
    let label = match (config.text("Mode")?, config.get("ExecutionType").and_then(Value::as_str)) {
        ("INLINE", None) => None,
        ("DISTRIBUTED", Some("STANDARD")) => Some(fields.text("Label")?.to_owned()),
        (mode, kind) => return Err(config.wrong("Mode", format!("{mode} with {kind:?} is not known here"))),
    };
    let tolerated = fields.number("ToleratedFailurePercentage", 0.0)?;
    if label.is_none() && (tolerated.is_some() || fields.get("Label").is_some()) {
        return Err(fields.wrong("Label", "an inline Map has neither a label nor tolerated failures"));
    }
    if label.is_some() && (fields.get("Output").is_none() || reads_result(fields)?) {
        // AWS does not say what stands in the result for an item that failed.
        return Err(
            fields.wrong("Output", "the result of a distributed Map is not known here: do without it")
        );
    }
    Ok(Map {
        items: needed(fields, "Items", &[])?,
        selector: checked(fields, "ItemSelector", ITEM)?,
        concurrency: checked(fields, "MaxConcurrency", &[])?,
        tolerated: tolerated.unwrap_or_default(),
        label,
        states: Arc::new(states(&format!("{place}."), &processor)?),
        after: names.after(fields)?,
    })
}

fn reads_result(fields: &Fields<'_>) -> Result<bool, String> {
    Ok(reads::check_kept(fields, &keeps(fields)?, &[]).is_err())
}

fn retrier_list(of: &Fields<'_>, all: &[Value]) -> Result<Vec<Retrier>, String> {
    let known =
        ["ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"];
    let retriers = all.iter().enumerate().map(|(n, value)| {
        let fields = Fields::of(&of.place(&format!("Retry[{n}]")), value, &known)?;
        let jitter = match fields.get("JitterStrategy").map(|value| (value, value.as_str())) {
            None | Some((_, Some("NONE"))) => false,
            Some((_, Some("FULL"))) => true,
            Some((other, _)) => {
                return Err(fields.wrong("JitterStrategy", format!("{other} is not known here")));
            }
        };
        let attempts = fields.number("MaxAttempts", 0.0)?;
        Ok(Retrier {
            errors: errors(&fields, n + 1 == all.len())?,
            interval: fields.number("IntervalSeconds", 1.0)?.unwrap_or(1.0),
            attempts: attempts.map_or(3, |attempts| attempts as u32),
            backoff: fields.number("BackoffRate", 1.0)?.unwrap_or(2.0),
            longest: fields.number("MaxDelaySeconds", 1.0)?,
            jitter,
        })
    });
    retriers.collect()
}

fn catcher_list(of: &Fields<'_>, all: &[Value], names: &Names<'_>) -> Result<Vec<Catcher>, String> {
    let catchers = all.iter().enumerate().map(|(n, value)| {
        let place = of.place(&format!("Catch[{n}]"));
        let fields = Fields::of(&place, value, &["ErrorEquals", "Assign", "Output", "Next"])?;
        let keeps = keeps(&fields)?;
        reads::check_kept(&fields, &keeps, ERROR)?;
        Ok(Catcher {
            errors: errors(&fields, n + 1 == all.len())?,
            keeps,
            next: names.next(&fields, "Next")?,
        })
    });
    catchers.collect()
}

fn errors(fields: &Fields<'_>, last: bool) -> Result<Vec<String>, String> {
    let names = fields.texts("ErrorEquals")?;
    match wrong_names(&names, last) {
        Some(why) => Err(fields.wrong("ErrorEquals", why)),
        None => Ok(names),
    }
}
