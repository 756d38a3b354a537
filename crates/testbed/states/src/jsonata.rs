//! The part of JSONata that the state machine uses, by the rules of JSONata 2.0.6, which Step Functions has.
//!
//! An expression is parsed once.  A form or a function that is not known here is refused then, with its place in the
//! text, so that nothing is evaluated by a rule that nobody compared with the reference implementation.  What is
//! undefined in JSONata is `None`.  An object has no order here: as text it is written by its keys.

mod evaluate;
mod functions;
mod lexer;
mod number;
mod parser;

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

/// What an expression yields; nothing is JSONata's `undefined`.
pub type Yield<'a> = Option<Cow<'a, Value>>;

/// One parsed expression.
#[derive(Debug)]
pub struct Expression {
    text: String,
    root: Expr,
}

/// What an expression reads: a variable, and the names behind it.
pub trait Scope {
    /// Finds a variable, and may take some of the names that follow it, from the first on; returns how many it took.
    fn find(&self, variable: &str, names: &[String]) -> (Option<&Value>, usize);
}

/// Why a value could not be computed, by the code that JSONata gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As in JSONata's list of errors.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

/// Why a text is no expression that is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Where, counted in characters from 0.
    pub at: usize,
    /// What.
    pub what: String,
}

#[derive(Debug)]
enum Expr {
    Literal(Value),
    /// `$variable.name.name`
    Path(String, Vec<String>),
    /// `$variable[index]`
    Index(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    Array(Vec<Expr>),
    /// `a..b`, which stands in an array alone.
    Range(Box<Expr>, Box<Expr>),
    Object(Vec<(String, Expr)>),
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    And,
    Concat,
    Equal,
    Greater,
    Minus,
    Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Exists,
    Merge,
    Number,
    String,
    Substring,
}

impl Expression {
    /// Parses a text, without the marks that Step Functions puts around it.
    pub fn parse(text: &str) -> Result<Self, Unknown> {
        Ok(Expression { text: text.trim().to_owned(), root: parser::parse(text)? })
    }

    /// Computes the value.
    pub fn evaluate<'a>(&'a self, scope: &'a dyn Scope) -> Result<Yield<'a>, Failure> {
        evaluate::evaluate(&self.root, scope)
    }

    /// Returns the variables that it reads, each with the names that follow it.
    pub fn reads(&self) -> Vec<(&str, &[String])> {
        let mut reads = Vec::new();
        collect(&self.root, &mut reads);
        reads
    }
}

fn collect<'a>(expr: &'a Expr, reads: &mut Vec<(&'a str, &'a [String])>) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Path(variable, names) => reads.push((variable, names)),
        Expr::Index(left, right) | Expr::Binary(_, left, right) | Expr::Range(left, right) => {
            collect(left, reads);
            collect(right, reads);
        }
        Expr::Conditional(condition, then, otherwise) => {
            [condition, then, otherwise].into_iter().for_each(|part| collect(part, reads));
        }
        Expr::Array(parts) | Expr::Call(_, parts) => parts.iter().for_each(|part| collect(part, reads)),
        Expr::Object(fields) => fields.iter().for_each(|(_, part)| collect(part, reads)),
    }
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Failure { code, message: message.into() }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.what, self.at)
    }
}
