//! Golden pages: empty, one service, forty with one bad.  `UPDATE_EXPECT=1` writes them.

use expect_test::expect_file;
use pipeline::clock::Timestamp;
use serde_json::json;

use super::rows::Rows;
use super::shop::{name, release, shop};
use super::{drawn, drawn_at, recorded};

/// Puts each element on a line of its own: a golden page is read by people.
fn lines(html: &str) -> String {
    let (frame, drawn) = html.split_once("<style>").unwrap();
    let (_, drawn) = drawn.split_once("</style>").unwrap();
    format!("{frame}{drawn}").replace("><", ">\n<") + "\n"
}

/// A shop in which something of everything is not as it should be.
fn troubled() -> Rows {
    let mut rows = shop(40);
    release(&mut rows, "r-2", 40, Some(7));
    let (drifted, held, bad) = (name(1), name(2), name(4));
    rows.add("env#dev", &format!("found#drift#{drifted}"), json!({
        "kind": "drift", "place": "services", "value": "x", "text": format!("{drifted} runs another image"),
        "since": "2026-11-23T09:30:00Z", "run": "s-1", "noted": "2026-11-23T09:30:00Z", "told": "s-1"
    }));
    rows.add(
        "env#staging",
        "frozen",
        json!({
            "frozen": true, "by": "f-1", "because": "the sale", "since": "2026-11-23T09:40:00Z"
        }),
    );
    let hold = json!({"digest": super::shop::digest(3), "release": "r-3", "since": "2026-11-23T09:41:00Z"});
    let row =
        rows.rows.iter_mut().find(|row| row["pk"] == "env#dev" && row["sk"] == format!("service#{held}"));
    row.unwrap()[format!("hold:shop/{held}")] = hold;
    rows.add(
        "env#dev",
        &format!("lease#{}", name(3)),
        json!({
            "holder": "arn", "release": "r-9", "fence": 3, "since": "2026-11-23T09:59:00Z"
        }),
    );
    rows.add(&format!("digest#shop/{bad}@{}", super::shop::digest(2)), "env#prod", json!({
        "quarantine": {"release": "r-4", "since": "2026-11-23T09:50:00Z", "reason": "live test health failed"}
    }));
    rows.add("env#prod", "waiting#r-5", json!({"token": "secret", "since": "2026-11-23T09:45:00Z"}));
    rows
}

#[tokio::test]
async fn where_there_is_nothing_it_is_said() {
    let rows = Rows::default();
    for view in ["environments", "releases"] {
        let html = drawn(&rows, json!({"view": view})).await.unwrap();
        expect_file![format!("../golden/empty-{view}.html")].assert_eq(&lines(&html));
    }
    let html = drawn(&rows, json!({"view": "release", "release": "gone"})).await.unwrap();
    expect_file!["../golden/empty-release.html"].assert_eq(&lines(&html));
}

#[tokio::test]
async fn recorded_releases_are_drawn() {
    let (rows, now) = (recorded(), Timestamp::parse("2026-11-24T15:45:00Z").unwrap());
    for release in ["rolled-back", "open", "waits-for-approval"] {
        let html = drawn_at(&rows, json!({"view": "release", "release": release}), now).await.unwrap();
        expect_file![format!("../golden/recorded-{release}.html")].assert_eq(&lines(&html));
    }
    let html = drawn_at(&rows, json!({"view": "environments"}), now).await.unwrap();
    expect_file!["../golden/recorded-environments.html"].assert_eq(&lines(&html));
}

#[tokio::test]
async fn a_shop_of_forty_shows_what_is_wrong() {
    let rows = troubled();
    let context = json!({"theme": "dark", "width": 620, "timezone": {"offsetISO": "+01:00"}});
    for (file, mut payload) in [
        ("environments", json!({"view": "environments"})),
        ("releases", json!({"view": "releases"})),
        ("release", json!({"view": "release", "release": "r-2"})),
    ] {
        payload["widgetContext"] = context.clone();
        let html = drawn(&rows, payload).await.unwrap();
        assert!(!html.contains("secret"), "the token of who waits is nobody's to see");
        expect_file![format!("../golden/forty-{file}.html")].assert_eq(&lines(&html));
    }
}
