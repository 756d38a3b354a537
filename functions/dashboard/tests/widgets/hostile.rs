//! Rows that strangers have written: nothing of them comes out as markup.

use serde_json::{Value, json};

use super::drawn;
use super::rows::Rows;
use super::shop::{release, shop};

const HOSTILE: &str =
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)></svg></style><cwdb-action>&lt;";

/// Puts the hostile text wherever a row holds a text that somebody could choose.
fn poisoned(row: &mut Value, key: &str) {
    match row {
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| poisoned(value, key)),
        Value::Array(items) => items.iter_mut().for_each(|item| poisoned(item, key)),
        Value::String(text) if FREE.contains(&key) => HOSTILE.clone_into(text),
        _ => {}
    }
}

/// What a person, an image, a task or a channel says in its own words.
const FREE: [&str; 8] = ["because", "cause", "commit", "error", "reason", "text", "undoReason", "alarm"];

#[tokio::test]
async fn what_a_stranger_writes_comes_out_as_text() {
    let mut rows: Rows = shop(3);
    release(&mut rows, "r-2", 3, Some(1));
    rows.add(
        "env#dev",
        "frozen",
        json!({"frozen": true, "by": "f", "because": "x", "since": super::shop::BEGAN}),
    );
    rows.add("env#dev", "found#image#shop/x", json!({
        "kind": "image", "place": "shop/x", "value": "x", "text": "x", "since": super::shop::BEGAN, "run": "s",
        "noted": super::shop::BEGAN, "told": "s"
    }));
    rows.add(
        &format!("digest#shop/service-0000@{}", super::shop::digest(2)),
        "env#staging",
        json!({
            "quarantine": {"release": "r-4", "since": super::shop::BEGAN, "reason": "x"}
        }),
    );
    rows.add(
        "release#r-2",
        &format!("alert#{HOSTILE}"),
        json!({"outcome": HOSTILE, "plan": null, "time": super::shop::BEGAN}),
    );
    let transcript = json!({HOSTILE: {"last": {"phase": HOSTILE, "at": super::shop::BEGAN, "outcome": HOSTILE, "text": HOSTILE}}});
    rows.add("release#r-2", "tests#0#0#before", json!({"transcript": transcript}));
    rows.rows.iter_mut().for_each(|row| poisoned(row, ""));
    let mut seen = 0;
    for view in [
        json!({"view": "environments"}),
        json!({"view": "releases"}),
        json!({"view": "release", "release": "r-2"}),
    ] {
        let mut payload = view;
        payload["widgetContext"] = json!({"forms": {"all": {"reason": HOSTILE}}});
        let html = drawn(&rows, payload).await.unwrap();
        seen += html.matches("&lt;script&gt;").count();
        for markup in ["<script", "<img", "</svg></style>", "<cwdb-action>"] {
            assert!(!html.contains(markup), "{markup}");
        }
        // An attribute ends with the quote that the template wrote, and not with one of a stranger.
        assert!(!html.contains("\"'>"), "{html}");
    }
    assert!(seen > 12, "little of it was drawn: {seen}");
}
