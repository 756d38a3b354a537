//! A request, and the answer that is expected.

mod status;

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::text::{LONGEST_SENTENCE, line, shown};
use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;

pub use status::Status;

use super::journey::Capture;
use crate::mistake::{Mistake, ensure};
use crate::percentiles::Percentiles;
use crate::span::Span;
use crate::template::{Json, Template};
use crate::texts::{Keyed, Text};
use crate::url_template::UrlTemplate;
use crate::values::{Unfilled, Values};
use crate::variable;

/// The most times that one request is repeated in a round.
const MOST_REPEATS: u32 = 100;

/// The most redirects that are followed.
const MOST_REDIRECTS: u32 = 5;

/// Headers that belong to the client.
const NOT_YOURS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "trailer"];

/// A request, and the answer that is expected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Http {
    /// What it is called in a report; in a journey alone.
    #[serde(default)]
    pub name: String,
    /// Where.
    pub url: UrlTemplate,
    /// Where to connect to instead, host and port; the request and the certificate stay those of the URL.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Template"))]
    pub connect: Option<Template>,
    /// How.
    #[serde(default)]
    pub method: Method,
    /// What goes along.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// What is sent: a text as it is, anything else as JSON.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Json"))]
    pub body: Option<Json>,
    /// What must come.
    #[serde(default)]
    pub status: Status,
    /// A text that the body must contain.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Template"))]
    pub contains: Option<Template>,
    /// Values that the body, read as JSON, must have, by JSONPath.
    #[serde(default)]
    pub json: Paths,
    /// Headers that must come: a name, and a pattern with `*` and `?` for its value.
    #[serde(default)]
    pub answer_headers: BTreeMap<String, Template>,
    /// How long the whole answer may take.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    pub within: Option<Span>,
    /// How often it is asked at each address in one round.
    #[serde(default = "once")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub repeat: u32,
    /// How long that many of the answers may take.
    #[serde(default)]
    pub percentiles: Percentiles,
    /// How many redirects are followed.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = 5)))]
    pub follow: u32,
    /// The secret that holds the certificates, in PEM, which its own is checked against.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub ca: Option<String>,
    /// Whether its answer is nobody's business: it is in no report, and what it captures is a secret.
    #[serde(default)]
    pub quiet: bool,
    /// What later steps take from the answer; in a journey alone.
    #[serde(default)]
    pub captures: BTreeMap<String, Capture>,
}

/// The methods of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[expect(missing_docs, reason = "they are the words of HTTP")]
pub enum Method {
    #[default]
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

/// The values that a body must have, by JSONPath.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "BTreeMap<String, Value>"))]
pub struct Paths(pub Vec<(JsonPath, Json)>);

/// A request with all its values.
#[derive(Clone)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub url: String,
    /// Where to connect to instead.
    pub connect: Option<String>,
    /// What goes along.
    pub headers: Vec<(String, String)>,
    /// What is sent, and whether it is JSON.
    pub body: Option<Body>,
    /// How many redirects are followed.
    pub follow: u32,
    /// The certificates, in PEM, which its own is checked against; none means those that everybody trusts.
    pub ca: Option<String>,
}

/// What is sent.
#[derive(Clone)]
pub enum Body {
    /// A text.
    Text(String),
    /// JSON.
    Json(String),
}

/// An expectation with all its values.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// What must come.
    pub status: &'a Status,
    /// A text that the body must contain.
    pub contains: Option<String>,
    /// Values that the body must have.
    pub json: Vec<(&'a JsonPath, Value)>,
    /// Headers that must come.
    pub headers: Vec<(&'a str, String)>,
    /// How long the whole answer may take.
    pub within: Option<Span>,
}

impl Request {
    /// Makes the plainest request.
    pub fn get(url: impl Into<String>) -> Self {
        let (headers, url) = (Vec::new(), url.into());
        Request { method: Method::Get, url, connect: None, headers, body: None, follow: 0, ca: None }
    }
}

impl Http {
    /// Makes the request at one address.
    pub fn request(&self, values: &Values) -> Result<Request, Unfilled> {
        let headers = self.headers.iter().map(|(name, value)| {
            let value = value.fill(values)?;
            match value.chars().any(|c| c.is_control() && c != '\t') {
                true => Err(Unfilled::SecondLine(name.clone())),
                false => Ok((name.clone(), value)),
            }
        });
        let body = self.body.as_ref().map(|body| match body {
            Json::Text(text) => text.fill(values).map(Body::Text),
            json => Ok(Body::Json(json.fill(values)?.to_string())),
        });
        Ok(Request {
            method: self.method,
            url: self.url.fill(values)?,
            connect: self.connect.as_ref().map(|connect| connect.fill(values)).transpose()?,
            headers: headers.collect::<Result<_, _>>()?,
            body: body.transpose()?,
            follow: self.follow,
            ca: self.ca.as_ref().map(|name| values.text(&variable::of_secret(name))).transpose()?,
        })
    }

    /// Says what its answer must be.
    pub fn expected(&self, values: &Values) -> Result<Expected<'_>, Unfilled> {
        let json = self.json.0.iter().map(|(path, value)| Ok((path, value.fill(values)?)));
        let headers = self.answer_headers.iter().map(|(name, value)| Ok((&**name, value.fill(values)?)));
        Ok(Expected {
            status: &self.status,
            contains: self.contains.as_ref().map(|text| text.fill(values)).transpose()?,
            json: json.collect::<Result<_, _>>()?,
            headers: headers.collect::<Result<_, _>>()?,
            within: self.within,
        })
    }

    /// Returns the names of the secrets that it sends.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.texts().into_iter().flat_map(|(_, text)| text.variables()).filter_map(variable::secret)
    }

    /// Tells whether it uses one of these variables.
    pub(crate) fn uses(&self, names: &BTreeSet<&str>) -> bool {
        self.texts().into_iter().flat_map(|(_, text)| text.variables()).any(|name| names.contains(name))
    }

    /// Returns each text with variables in it, with its key.
    pub(crate) fn texts(&self) -> Vec<Keyed<'_>> {
        let mut texts = vec![("url", Text::Url(&self.url))];
        texts.extend(self.connect.iter().map(|text| ("connect", Text::Plain(text))));
        texts.extend(self.headers.values().map(|text| ("headers", Text::Plain(text))));
        texts.extend(self.body.iter().map(|json| ("body", Text::Json(json))));
        texts.extend(self.contains.iter().map(|text| ("contains", Text::Plain(text))));
        texts.extend(self.json.0.iter().map(|(_, json)| ("json", Text::Json(json))));
        texts.extend(self.answer_headers.values().map(|text| ("answerHeaders", Text::Plain(text))));
        texts
    }

    /// Says what is wrong with it by itself.
    pub(crate) fn mistake(&self) -> Result<(), Mistake> {
        let is_ours = |name: &str| NOT_YOURS.iter().any(|ours| name.eq_ignore_ascii_case(ours));
        if let Some(name) = self.headers.keys().find(|name| is_ours(name)) {
            return Err(Mistake::at(
                "headers",
                format!("{} is set by the client: expected another one", shown(name)),
            ));
        }
        for (key, headers) in [("headers", &self.headers), ("answerHeaders", &self.answer_headers)] {
            if let Some(name) = headers.keys().find(|name| !is_token(name)) {
                let why = format!("{} is not the name of a header: expected one like x-probe", shown(name));
                return Err(Mistake::at(key, why));
            }
        }
        ensure(self.body.is_none() || self.method.has_body(), "body", || {
            format!("{} has none: expected the method POST, PUT, PATCH or DELETE", self.method.as_str())
        })?;
        ensure((1..=MOST_REPEATS).contains(&self.repeat), "repeat", || {
            format!("{} is not in range: expected 1 to {MOST_REPEATS}", self.repeat)
        })?;
        ensure(self.follow <= MOST_REDIRECTS, "follow", || {
            format!("{} redirects are too many: expected 0 to {MOST_REDIRECTS}", self.follow)
        })?;
        ensure(self.percentiles.0.is_empty() || self.repeat > 1, "percentiles", || {
            "one answer has no percentiles: expected \"repeat\" of at least 2".to_owned()
        })
    }
}

impl Method {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    fn has_body(self) -> bool {
        matches!(self, Method::Post | Method::Put | Method::Patch | Method::Delete)
    }
}

impl TryFrom<BTreeMap<String, Value>> for Paths {
    type Error = Fault;
    fn try_from(written: BTreeMap<String, Value>) -> Result<Self, Fault> {
        let values = written.into_iter().map(|(text, value)| Ok((path(&text)?, Json::try_from(value)?)));
        values.collect::<Result<_, _>>().map(Paths)
    }
}

/// What a path may hold: filters within filters double the time to read it each, brackets take stack, and what leads to
/// several places multiplies what is found.
const LONGEST_PATH: usize = 256;
const MOST_IN_PATH: [(&str, usize); 4] = [("?", 4), ("(", 16), ("..", 2), (",", 8)];

/// Reads a JSONPath.
pub(super) fn path(text: &str) -> Result<JsonPath, Fault> {
    let refused = |why: String| {
        Fault::InvalidInput(format!("{} is not a JSONPath that can be used: {why}", shown(text)))
    };
    // Before it is read: the reader takes what it can, in time and on its stack.
    excess(text).map_or(Ok(()), |why| Err(refused(why)))?;
    JsonPath::parse(text).map_err(|error| {
        refused(format!("{}; expected one like $.status", line(&error.to_string(), LONGEST_SENTENCE)))
    })
}

/// Says what there is too much of in a path, if there is.
fn excess(path: &str) -> Option<String> {
    if path.len() > LONGEST_PATH {
        return Some(format!("expected {LONGEST_PATH} bytes at most"));
    }
    let (mark, most) = MOST_IN_PATH.into_iter().find(|(mark, most)| path.matches(mark).count() > *most)?;
    Some(format!("expected {mark:?} in it {most} times at most"))
}

/// Tells whether a text can name a header (RFC 9110).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn once() -> u32 {
    1
}
