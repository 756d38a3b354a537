//! The dashboard: its widgets call functions that are there, and it comes and goes as a whole.

use super::*;

/// Returns the body, and the names of the resources in it.
fn body(template: &Template) -> (Value, BTreeSet<String>) {
    let body = text(&template.resources()["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]);
    let names = body.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next()).map(str::to_owned);
    let names = names.filter(|name| !name.starts_with("AWS::")).collect();
    (serde_json::from_str(&body).expect("the body is JSON"), names)
}

#[test]
fn every_widget_is_one_and_has_a_place_of_its_own() {
    let template = Template::read();
    let (body, names) = body(&template);
    for name in names {
        assert!(template.resources().get(&name).is_some(), "{name} is no resource");
    }
    let mut taken: Vec<[u64; 4]> = Vec::new();
    for widget in list(&body["widgets"]) {
        let place = ["x", "y", "width", "height"].map(|key| widget[key].as_u64().expect("a number"));
        let [x, y, width, height] = place;
        assert!(x + width <= 24, "{widget}");
        let apart = |other: &[u64; 4]| {
            x + width <= other[0]
                || other[0] + other[2] <= x
                || y + height <= other[1]
                || other[1] + other[3] <= y
        };
        assert!(taken.iter().all(apart), "{widget}");
        taken.push(place);
        if widget["type"] == json!("custom") {
            let properties = &widget["properties"];
            assert_eq!(properties["endpoint"], json!("${DashboardFunction.Arn}"));
            let samples: BTreeSet<String> = ["environments", "releases"].map(str::to_owned).into();
            assert!(samples.contains(&text(&properties["params"]["view"])), "{widget}");
        }
    }
}

#[test]
fn it_shows_every_alarm_of_the_pipeline() {
    let template = Template::read();
    let (_, names) = body(&template);
    for (id, _) in template.of_type("AWS::CloudWatch::Alarm") {
        assert!(names.contains(id), "{id}");
    }
}

#[test]
fn every_metric_of_the_pipeline_is_one_that_a_release_writes() {
    let text = text(&Template::read().resources()["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]);
    let measures = root().join("functions/release/src/plan/measures.rs");
    let written = std::fs::read_to_string(measures).expect("what is measured");
    let named: Vec<&str> =
        text.split(r#"MetricName=\""#).skip(1).filter_map(|rest| rest.split('\\').next()).collect();
    assert!(named.len() > 8);
    for name in named {
        assert!(written.contains(&format!("\"{name}\"")), "{name} is written by nobody");
    }
}

#[test]
fn what_it_says_of_cost_is_by_the_list_of_prices() {
    let template = Template::read();
    let (body, _) = body(&template);
    let expressions: String = body["widgets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|widget| text(&widget["properties"]["title"]).starts_with("Cost"))
        .flat_map(|widget| list(&widget["properties"]["metrics"]))
        .map(|metric| metric[0]["expression"].to_string())
        .collect();
    let prices = std::fs::read_to_string(root().join("bench/prices.json")).expect("the prices");
    let prices: Value = serde_json::from_str(&prices).expect("JSON");
    for row in list(&prices["prices"]) {
        let price = row["usd"].as_f64().expect("a price") / row["per"].as_f64().expect("a number");
        let written = format!("{price:.10}");
        let written = written.trim_end_matches('0');
        assert!(expressions.contains(&format!("* {written}")), "{} is {written}: {expressions}", row["item"]);
    }
    let memory = |id: &str| {
        let own = &template.resources()[id]["Properties"]["MemorySize"];
        own.as_f64().or(template.document["Globals"]["Function"]["MemorySize"].as_f64()).expect("memory")
            / 1024.0
    };
    assert_eq!((memory("ReleaseFunction"), memory("DeployFunction")), (0.5, 0.25));
}

#[test]
fn it_comes_and_goes_as_a_whole() {
    let template = Template::read();
    for (id, resource) in template.resources() {
        let conditional = resource.get("Condition") == Some(&json!("HasDashboard"));
        assert_eq!(conditional, id.starts_with("Dashboard"), "{id}");
    }
    for (id, output) in template.document["Outputs"].as_object().expect("outputs") {
        assert_eq!(output.get("Condition").is_some(), id.starts_with("Dashboard"), "{id}");
    }
}

#[test]
fn who_draws_writes_nothing_and_who_acts_starts_executions_alone() {
    let template = Template::read();
    let may = |owner: &str| -> BTreeSet<String> {
        let own = template.statements().into_iter().filter(|(of, _)| of == owner);
        own.flat_map(|(_, statement)| strings(&statement["Action"])).collect()
    };
    let draws = ["dynamodb:BatchGetItem", "dynamodb:Query", "ssm:GetParametersByPath"];
    assert_eq!(may("DashboardFunction"), draws.map(str::to_owned).into());
    let acts = ["states:DescribeExecution", "states:StartExecution"];
    assert_eq!(may("DashboardActsFunction"), acts.map(str::to_owned).into());
}
