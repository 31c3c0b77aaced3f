//! Values of macros: whole-number expressions of C, expanded and computed within fixed bounds.
//!
//! Macros are expanded as the preprocessor does it, token by token, so that `#define A 1 + 1`
//! and `A * 2` give 3. Function-like macros are not expanded, but for three of lwIP's own.

use crate::param::Text;

/// Most tokens of one expanded expression.
const TOKENS_LIMIT: usize = 4_096;
/// Most tokens that all expansions of one file may produce; real files need some hundreds.
pub const FUEL: u32 = 200_000;
/// Deepest nesting of macros and of parentheses.
const DEPTH_LIMIT: u32 = 48;
/// Names that may stand in a cast.
const TYPES: [&str; 16] = [
    "u8_t",
    "u16_t",
    "u32_t",
    "s8_t",
    "s16_t",
    "s32_t",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "int8_t",
    "int16_t",
    "int32_t",
    "int",
    "unsigned",
    "size_t",
    "mem_size_t",
];
/// Binary operators with their precedence, longest first.
const BINARY: [(&str, u8); 18] = [
    ("||", 1),
    ("&&", 2),
    ("<<", 8),
    (">>", 8),
    ("<=", 7),
    (">=", 7),
    ("==", 6),
    ("!=", 6),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
    ("%", 10),
];
/// Other operators.
const OTHERS: [&str; 7] = ["(", ")", "!", "~", "?", ":", ","];

/// Why an expression has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoValue {
    /// Text, a string or a type: no number at all.
    NotANumber,
    /// A name that nothing defines.
    UnknownName,
    /// Brackets or operators do not fit together.
    Syntax,
    /// Beyond 64 bits, or a division by zero.
    Overflow,
    /// Nested too deep, or grown too long.
    TooLarge,
}

impl NoValue {
    /// In words.
    pub const fn text(self) -> Text {
        match self {
            NoValue::NotANumber => Text::new("it is no whole number", "不是整数"),
            NoValue::UnknownName => {
                Text::new("it uses a name that nothing defines", "使用了未定义的名称")
            }
            NoValue::Syntax => {
                Text::new("brackets or operators do not fit together", "括号或运算符不匹配")
            }
            NoValue::Overflow => {
                Text::new("beyond 64 bits, or a division by zero", "超出 64 位，或除以零")
            }
            NoValue::TooLarge => {
                Text::new("nested too deep, or grown too long", "嵌套过深，或展开过长")
            }
        }
    }
}

/// Where names get their meaning.
pub trait Names {
    /// What a name stands for; `None` if nothing defines it.
    fn body(&self, name: &str) -> Option<&str>;
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Number(i64),
    Name(String),
    Op(&'static str),
}

/// The value of `text`. In a condition unknown names are 0, and `defined` is understood.
pub fn value(
    text: &str,
    names: &dyn Names,
    is_condition: bool,
    fuel: &mut u32,
) -> Result<i64, NoValue> {
    let mut tokens = Vec::new();
    let mut open = Vec::new();
    expand(text, names, is_condition, &mut open, &mut tokens, fuel)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, dead: 0, is_condition };
    let value = parser.ternary()?;
    if parser.at as usize == tokens.len() { Ok(value) } else { Err(NoValue::Syntax) }
}

fn expand(
    text: &str,
    names: &dyn Names,
    is_condition: bool,
    open: &mut Vec<String>,
    out: &mut Vec<Token>,
    fuel: &mut u32,
) -> Result<(), NoValue> {
    let own = tokens_of(text)?;
    let mut index = 0;
    while index < own.len() {
        *fuel = fuel.checked_sub(1).ok_or(NoValue::TooLarge)?;
        if TOKENS_LIMIT <= out.len() {
            return Err(NoValue::TooLarge);
        }
        let token = &own[index];
        index += 1;
        let Token::Name(name) = token else {
            out.push(token.clone());
            continue;
        };
        if is_condition && name == "defined" {
            let has_bracket = own.get(index) == Some(&Token::Op("("));
            index += usize::from(has_bracket);
            let Some(Token::Name(asked)) = own.get(index) else { return Err(NoValue::Syntax) };
            index += 1 + usize::from(has_bracket);
            out.push(Token::Number(i64::from(names.body(asked).is_some())));
            continue;
        }
        let body = names.body(name).filter(|_| !open.contains(name));
        match body {
            None => out.push(token.clone()),
            Some(_) if DEPTH_LIMIT as usize <= open.len() => return Err(NoValue::TooLarge),
            Some(body) => {
                open.push(name.clone());
                expand(body, names, is_condition, open, out, fuel)?;
                open.pop();
            }
        }
    }
    Ok(())
}

fn tokens_of(text: &str) -> Result<Vec<Token>, NoValue> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if TOKENS_LIMIT <= tokens.len() {
            return Err(NoValue::TooLarge);
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = if is_word(first) {
            let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..len];
            tokens.push(if first.is_ascii_digit() {
                Token::Number(number(word)?)
            } else {
                Token::Name(word.to_owned())
            });
            len
        } else {
            let ops = BINARY.iter().map(|(op, _)| *op).chain(OTHERS);
            let op = ops.into_iter().find(|op| rest.starts_with(op)).ok_or(NoValue::NotANumber)?;
            tokens.push(Token::Op(op));
            op.len()
        };
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

/// A whole number: decimal, hexadecimal or octal, with the suffixes of C.
fn number(word: &str) -> Result<i64, NoValue> {
    let digits = word.trim_end_matches(['u', 'U', 'l', 'L']);
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if 1 < digits.len() && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NoValue::NotANumber);
    }
    i64::from_str_radix(digits, radix).map_err(|_| NoValue::Overflow)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: u32,
    depth: u32,
    /// In a branch that C does not compute: what goes wrong there is no matter.
    dead: u32,
    is_condition: bool,
}

impl<'a> Parser<'a> {
    fn ternary(&mut self) -> Result<i64, NoValue> {
        self.depth += 1;
        if DEPTH_LIMIT < self.depth {
            return Err(NoValue::TooLarge);
        }
        let mut value = self.binary(1)?;
        if self.takes("?") {
            let is_true = value != 0;
            let yes = self.branch(is_true, Parser::ternary)?;
            self.expect(":")?;
            let no = self.branch(!is_true, Parser::ternary)?;
            value = if is_true { yes } else { no };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn binary(&mut self, least: u8) -> Result<i64, NoValue> {
        let mut left = self.unary()?;
        while let Some((op, level)) = self.operator().filter(|(_, level)| least <= *level) {
            self.at += 1;
            let counts = match op {
                "&&" => left != 0,
                "||" => left == 0,
                _ => true,
            };
            let right = self.branch(counts, |parser| parser.binary(level + 1))?;
            left = match apply(op, left, right) {
                Some(value) => value,
                None if 0 < self.dead => 0,
                None => return Err(NoValue::Overflow),
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i64, NoValue> {
        self.depth += 1;
        if DEPTH_LIMIT < self.depth {
            return Err(NoValue::TooLarge);
        }
        let token = self.next().ok_or(NoValue::Syntax)?;
        self.at += 1;
        let value = match token {
            Token::Number(n) => Ok(*n),
            Token::Op("+") => self.unary(),
            Token::Op("-") => self.unary()?.checked_neg().ok_or(NoValue::Overflow),
            Token::Op("!") => Ok(i64::from(self.unary()? == 0)),
            Token::Op("~") => Ok(!self.unary()?),
            Token::Op("(") => self.bracket(),
            Token::Op(_) => Err(NoValue::Syntax),
            Token::Name(name) => self.call(name),
        };
        self.depth -= 1;
        value
    }

    /// What stands in brackets, or a cast.
    fn bracket(&mut self) -> Result<i64, NoValue> {
        if let Some(Token::Name(name)) = self.next()
            && TYPES.contains(&name.as_str())
        {
            self.at += 1;
            self.expect(")")?;
            return self.unary();
        }
        let value = self.ternary()?;
        self.expect(")")?;
        Ok(value)
    }

    /// A name that nothing expands, or one of lwIP's macros with arguments.
    fn call(&mut self, name: &str) -> Result<i64, NoValue> {
        let n_arguments = match name {
            "LWIP_MIN" | "LWIP_MAX" => 2,
            "LWIP_MEM_ALIGN_SIZE" => 1,
            _ if self.is_condition => return Ok(0),
            _ => return Err(NoValue::UnknownName),
        };
        self.expect("(")?;
        let first = self.ternary()?;
        if n_arguments == 1 {
            self.expect(")")?;
            // MEM_ALIGNMENT is 4 on every part that is modelled.
            return first.checked_add(3).map(|n| n & !3).ok_or(NoValue::Overflow);
        }
        self.expect(",")?;
        let second = self.ternary()?;
        self.expect(")")?;
        Ok(if name == "LWIP_MIN" { first.min(second) } else { first.max(second) })
    }

    fn branch(
        &mut self,
        counts: bool,
        parse: impl FnOnce(&mut Self) -> Result<i64, NoValue>,
    ) -> Result<i64, NoValue> {
        self.dead += u32::from(!counts);
        let value = parse(self);
        self.dead -= u32::from(!counts);
        value
    }

    fn next(&self) -> Option<&'a Token> {
        self.tokens.get(self.at as usize)
    }

    fn operator(&self) -> Option<(&'static str, u8)> {
        let Some(Token::Op(op)) = self.next() else { return None };
        BINARY.iter().find(|(name, _)| name == op).copied()
    }

    fn takes(&mut self, op: &str) -> bool {
        let is_next = matches!(self.next(), Some(Token::Op(next)) if *next == op);
        self.at += u32::from(is_next);
        is_next
    }

    fn expect(&mut self, op: &str) -> Result<(), NoValue> {
        if self.takes(op) { Ok(()) } else { Err(NoValue::Syntax) }
    }
}

/// `None` where C has no value, or 64 bits do not hold it.
fn apply(op: &str, a: i64, b: i64) -> Option<i64> {
    let bits = u32::try_from(b).ok().filter(|bits| *bits < 63);
    match op {
        "||" => Some(i64::from(a != 0 || b != 0)),
        "&&" => Some(i64::from(a != 0 && b != 0)),
        "|" => Some(a | b),
        "^" => Some(a ^ b),
        "&" => Some(a & b),
        "==" => Some(i64::from(a == b)),
        "!=" => Some(i64::from(a != b)),
        "<" => Some(i64::from(a < b)),
        ">" => Some(i64::from(b < a)),
        "<=" => Some(i64::from(a <= b)),
        ">=" => Some(i64::from(b <= a)),
        "<<" => bits.and_then(|bits| a.checked_mul(1 << bits)),
        ">>" => bits.map(|bits| a >> bits),
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div(b),
        "%" => a.checked_rem(b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Two;

    impl Names for Two {
        fn body(&self, name: &str) -> Option<&str> {
            match name {
                "TCP_MSS" => Some("1460"),
                "SUM" => Some("1 + 1"),
                "LOOP" => Some("LOOP + 1"),
                "DOUBLE" => Some("(DOUBLE2 + DOUBLE2)"),
                _ => None,
            }
        }
    }

    fn compute(text: &str) -> Result<i64, NoValue> {
        value(text, &Two, false, &mut { FUEL })
    }

    #[test]
    fn expressions_have_the_value_that_c_gives_them() {
        for (text, expected) in [
            ("(4 * TCP_MSS)", 5_840),
            ("((TCP_MSS) + 40 + 14)", 1_514),
            ("16*1024", 16_384),
            ("0x30004000UL", 0x3000_4000),
            ("(u16_t)(1 << 4) | 010", 24),
            ("SUM * 2", 3),
            ("LWIP_MIN(TCP_MSS / 4, 4 * TCP_MSS)", 365),
            ("LWIP_MEM_ALIGN_SIZE(590)", 592),
            ("1 ? 2 : 1 / 0", 2),
            ("0 && 1 / 0", 0),
            ("-(-3) - ~0 + !5", 4),
            ("10 - 4 - 3", 3),
        ] {
            assert_eq!(compute(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(compute("\"eth\""), Err(NoValue::NotANumber));
        assert_eq!(compute("1.5"), Err(NoValue::NotANumber));
        assert_eq!(compute("1 / 0"), Err(NoValue::Overflow));
        assert_eq!(compute("9223372036854775807 + 1"), Err(NoValue::Overflow));
        assert_eq!(compute("NOBODY + 1"), Err(NoValue::UnknownName));
        assert_eq!(compute("(1"), Err(NoValue::Syntax));
        assert_eq!(compute(""), Err(NoValue::Syntax));
        assert_eq!(compute("LOOP"), Err(NoValue::UnknownName));
        assert_eq!(compute(&"(".repeat(3_000)), Err(NoValue::TooLarge));
        assert_eq!(compute(&"-".repeat(3_000)), Err(NoValue::TooLarge));
    }
}
