//! Large ledgers: every page stays below what the console takes, and is drawn in no time.

use serde_json::{Value, json};

use super::drawn;
use super::shop::{name, release, shop};

/// What a page may have: nobody knows how much the console shows.
const MOST_BYTES: usize = 256 * 1024;

#[tokio::test]
async fn a_page_of_a_thousand_services_is_as_large_as_any() {
    let mut rows = shop(1000);
    release(&mut rows, "r-2", 1000, Some(700));
    for view in [
        json!({"view": "environments"}),
        json!({"view": "environments", "after": name(500)}),
        json!({"view": "releases"}),
        json!({"view": "release", "release": "r-2"}),
        json!({"view": "release", "release": "r-2", "from": 980}),
        json!({"view": "release", "release": "r-2", "from": 5000}),
    ] {
        let began = std::time::Instant::now();
        let html = drawn(&rows, view.clone()).await.unwrap();
        println!("{view}: {} bytes, drawn in {:?}", html.len(), began.elapsed());
        assert!(html.len() < MOST_BYTES, "{view}: {}", html.len());
    }
}

#[tokio::test]
async fn the_pages_of_the_board_show_each_service_once() {
    let rows = shop(120);
    let (mut after, mut seen) = (Value::Null, Vec::new());
    for _ in 0..10 {
        let html = drawn(&rows, json!({"view": "environments", "after": after})).await.unwrap();
        let names =
            html.split("<th scope=\"row\">").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        seen.extend(names);
        let Some((_, next)) = html.split_once("&quot;after&quot;:&quot;") else { break };
        after = next.split("&quot;").next().unwrap().into();
    }
    assert_eq!(seen, (0..120).map(name).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_many_that_went_back_the_bad_one_comes_first() {
    let mut rows = shop(300);
    release(&mut rows, "r-2", 300, Some(250));
    let html = drawn(&rows, json!({"view": "release", "release": "r-2"})).await.unwrap();
    let first = html.split("<th scope=\"row\">").nth(1).unwrap();
    assert!(first.starts_with(&name(250)), "{}", &first[..40]);
}

#[tokio::test]
async fn the_bad_one_of_many_comes_first() {
    let mut rows = shop(300);
    release(&mut rows, "r-2", 300, None);
    let bad = rows.rows.iter_mut().find(|row| row["service"] == name(250)).unwrap();
    bad["verdict"] = "Inconclusive".into();
    let html = drawn(&rows, json!({"view": "release", "release": "r-2"})).await.unwrap();
    let first = html.split("<th scope=\"row\">").nth(1).unwrap();
    assert!(first.starts_with(&name(250)), "{}", &first[..40]);
}
