//! Builds an expression of its words, by the precedences that JSONata gives its operators.

use serde_json::Value;

use super::lexer::{Kind, Token, tokens};
use super::{Expr, Function, Operator, Unknown, number};

/// How tightly operators bind.
const RANGE: u8 = 20;
const CONDITIONAL: u8 = 20;
const AND: u8 = 30;
const COMPARISON: u8 = 40;
const SUM: u8 = 50;
const PRODUCT: u8 = 60;

/// The operators that stand between two values.
const OPERATORS: [(&str, Operator, u8); 5] = [
    ("&", Operator::Concat, SUM),
    ("-", Operator::Minus, SUM),
    ("*", Operator::Times, PRODUCT),
    ("=", Operator::Equal, COMPARISON),
    (">", Operator::Greater, COMPARISON),
];

/// The functions, and how many arguments each takes.
const FUNCTIONS: [(&str, Function, &[usize]); 5] = [
    ("exists", Function::Exists, &[1]),
    ("merge", Function::Merge, &[1]),
    ("number", Function::Number, &[1]),
    ("string", Function::String, &[1]),
    ("substring", Function::Substring, &[2, 3]),
];

pub fn parse(text: &str) -> Result<Expr, Unknown> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let expr = parser.expression(0)?;
    match &parser.peek().kind {
        Kind::End => Ok(expr),
        _ => Err(parser.unknown()),
    }
}

const END: &Token = &Token { at: 0, kind: Kind::End };

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).or(self.tokens.last()).unwrap_or(END)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek().kind, Kind::Sign(found) if found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Unknown> {
        if self.take(sign) {
            return Ok(());
        }
        let Unknown { at, what } = self.unknown();
        Err(Unknown { at, what: format!("{what}, where {sign} was expected") })
    }

    /// Refuses what comes next.
    fn unknown(&self) -> Unknown {
        let Token { at, kind } = self.peek();
        let what = match kind {
            Kind::Variable(name) => format!("the variable ${name}"),
            Kind::Name(name) => format!("the name {name}"),
            Kind::Text(text) => format!("the text {text:?}"),
            Kind::Number(number) => format!("the number {number}"),
            Kind::Sign(sign) => format!("the sign {sign}"),
            Kind::End => "the end".to_owned(),
        };
        Unknown { at: *at, what: format!("{what} is not known in this place") }
    }

    /// Parses as far as operators bind more tightly than `floor`.
    fn expression(&mut self, floor: u8) -> Result<Expr, Unknown> {
        let mut left = self.operand()?;
        loop {
            let (operator, binds) = match &self.peek().kind {
                Kind::Sign("?") if CONDITIONAL > floor => {
                    self.at += 1;
                    left = self.conditional(left)?;
                    continue;
                }
                Kind::Name(name) if name == "and" => (Operator::And, AND),
                Kind::Sign(sign) => match OPERATORS.iter().find(|(known, ..)| known == sign) {
                    Some((_, operator, binds)) => (*operator, *binds),
                    None => return Ok(left),
                },
                _ => return Ok(left),
            };
            if binds <= floor {
                return Ok(left);
            }
            self.at += 1;
            let right = self.expression(binds)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn conditional(&mut self, condition: Expr) -> Result<Expr, Unknown> {
        let then = self.expression(0)?;
        self.expect(":")?;
        let otherwise = self.expression(0)?;
        Ok(Expr::Conditional(Box::new(condition), Box::new(then), Box::new(otherwise)))
    }

    fn operand(&mut self) -> Result<Expr, Unknown> {
        let literal = |value| Ok(Expr::Literal(value));
        let token = self.next();
        match token.kind {
            Kind::Text(text) => literal(Value::String(text)),
            Kind::Number(number) => literal(number::value(number).unwrap_or_default()),
            Kind::Name(name) if name == "true" => literal(Value::Bool(true)),
            Kind::Name(name) if name == "false" => literal(Value::Bool(false)),
            Kind::Name(name) if name == "null" => literal(Value::Null),
            Kind::Sign("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Sign("[") => self.array(),
            Kind::Sign("{") => self.object(),
            Kind::Variable(name) if self.take("(") => self.call(&name, token.at),
            Kind::Variable(name) if !name.is_empty() => self.path(name),
            _ => {
                self.at -= 1;
                Err(self.unknown())
            }
        }
    }

    fn path(&mut self, variable: String) -> Result<Expr, Unknown> {
        let mut names = Vec::new();
        while self.take(".") {
            match self.next().kind {
                Kind::Name(name) => names.push(name),
                _ => {
                    self.at -= 1;
                    return Err(self.unknown());
                }
            }
        }
        let alone = names.is_empty();
        let path = Expr::Path(variable, names);
        if !(alone && self.take("[")) {
            return Ok(path);
        }
        let index = self.expression(0)?;
        self.expect("]")?;
        Ok(Expr::Index(Box::new(path), Box::new(index)))
    }

    fn array(&mut self) -> Result<Expr, Unknown> {
        let mut parts = Vec::new();
        while !self.take("]") {
            if !parts.is_empty() {
                self.expect(",")?;
            }
            let first = self.expression(RANGE)?;
            parts.push(match self.take("..") {
                true => Expr::Range(Box::new(first), Box::new(self.expression(RANGE)?)),
                false if self.is("?") => {
                    self.at += 1;
                    self.conditional(first)?
                }
                false => first,
            });
        }
        Ok(Expr::Array(parts))
    }

    fn object(&mut self) -> Result<Expr, Unknown> {
        let mut fields: Vec<(String, Expr)> = Vec::new();
        while !self.take("}") {
            if !fields.is_empty() {
                self.expect(",")?;
            }
            let token = self.next();
            let Kind::Text(key) = token.kind else {
                self.at -= 1;
                return Err(self.unknown());
            };
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(Unknown { at: token.at, what: format!("the key {key:?} comes twice") });
            }
            self.expect(":")?;
            fields.push((key, self.expression(0)?));
        }
        Ok(Expr::Object(fields))
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Expr, Unknown> {
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        let Some((_, function, counts)) = known else {
            return Err(Unknown { at, what: format!("the function ${name} is not known here") });
        };
        let mut arguments = Vec::new();
        while !self.take(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.expression(0)?);
        }
        if !counts.contains(&arguments.len()) {
            let what = format!("${name} takes {counts:?} arguments here, not {}", arguments.len());
            return Err(Unknown { at, what });
        }
        Ok(Expr::Call(*function, arguments))
    }
}
