//! Splits an expression into its words and signs.

use super::{Unknown, number};

/// One word or sign, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub at: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `$name`, without its sign; empty for `$` alone.
    Variable(String),
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
    End,
}

/// All signs of JSONata, longer ones first: those that are not used are refused by the parser, by name.
const SIGNS: [&str; 30] = [
    "..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??", ".", "[", "]", "{", "}", "(", ")", ",", "@", "#",
    ";", ":", "?", "+", "-", "*", "/", "%", "|", "=", "<",
];
const MORE_SIGNS: [&str; 5] = [">", "^", "&", "!", "~"];

pub fn tokens(text: &str) -> Result<Vec<Token>, Unknown> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let ended = token.kind == Kind::End;
        tokens.push(token);
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let taken: String = self.chars.iter().skip(self.at).take_while(|each| wanted(**each)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn next(&mut self) -> Result<Token, Unknown> {
        self.take_while(char::is_whitespace);
        let at = self.at;
        let kind = match self.peek() {
            None => Kind::End,
            Some('$') => {
                self.at += 1;
                Kind::Variable(self.take_while(is_of_name))
            }
            Some(quote @ ('\'' | '"')) => Kind::Text(self.text(quote)?),
            Some(digit) if digit.is_ascii_digit() => self.number()?,
            Some(first) if is_of_name(first) => Kind::Name(self.take_while(is_of_name)),
            Some(_) => self.sign()?,
        };
        Ok(Token { at, kind })
    }

    fn sign(&mut self) -> Result<Kind, Unknown> {
        let rest: String = self.chars.iter().skip(self.at).take(2).collect();
        if rest == "/*" {
            return Err(Unknown { at: self.at, what: "a comment is not known here".to_owned() });
        }
        let sign = SIGNS.into_iter().chain(MORE_SIGNS).find(|sign| rest.starts_with(sign));
        let sign = sign.ok_or_else(|| Unknown { at: self.at, what: format!("{rest:?} is no sign") })?;
        self.at += sign.len();
        Ok(Kind::Sign(sign))
    }

    fn number(&mut self) -> Result<Kind, Unknown> {
        let at = self.at;
        let mut text = self.take_while(|each| each.is_ascii_digit());
        // Two dots are a range, whose first number ends here.
        if self.peek() == Some('.') && self.chars.get(self.at + 1).is_some_and(char::is_ascii_digit) {
            self.at += 1;
            text = format!("{text}.{}", self.take_while(|each| each.is_ascii_digit()));
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            return Err(Unknown { at, what: "a number with an exponent is not known here".to_owned() });
        }
        let number = number::parse(&text)
            .filter(|_| text.len() == 1 || !text.starts_with('0') || text.starts_with("0."));
        number.map(Kind::Number).ok_or_else(|| Unknown { at, what: format!("{text} is no number") })
    }

    fn text(&mut self, quote: char) -> Result<String, Unknown> {
        let start = self.at;
        let unended = || Unknown { at: start, what: "a text does not end".to_owned() };
        let mut text = String::new();
        loop {
            self.at += 1;
            match self.peek().ok_or_else(unended)? {
                '\\' => {
                    self.at += 1;
                    let escaped = self.peek().ok_or_else(unended)?;
                    text.push(match escaped {
                        '"' | '\\' | '/' => escaped,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        _ => {
                            let what = format!("the escape \\{escaped} is not known here");
                            return Err(Unknown { at: self.at, what });
                        }
                    });
                }
                end if end == quote => {
                    self.at += 1;
                    return Ok(text);
                }
                other => text.push(other),
            }
        }
    }
}

fn is_of_name(each: char) -> bool {
    each == '_' || each.is_alphanumeric()
}
