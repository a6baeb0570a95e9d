//! Structures of the socket interface, written in braces by their fields' names.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::expr::{self, Expr, ExprKind};
use super::token::Kind;
use crate::plan::Span;
use crate::scenario::Problem;
use crate::scenario::suggest;

/// `{name=value, …}`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    pub kind: StructureKind,
    pub fields: Vec<Field>,
}

/// `name=value`, or `name(count)=value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// The length that stands beside a pointer, as in `msg_iov(1)=…`.
    pub count: Option<Expr>,
    pub value: Expr,
}

/// Which structure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructureKind {
    Sockaddr,
    Msghdr,
    Cmsghdr,
    Iovec,
    Pollfd,
    EpollEvent,
    Linger,
    ScmTimestamping,
    SockExtendedErr,
    AcceptFilterArg,
    TcpFunctionSet,
    TcpFastopen,
    TcpResetReason,
    SfHdtr,
}

/// What a structure's fields are.
struct Shape {
    kind: StructureKind,
    name: &'static str,
    needs: &'static [&'static str],
    /// Fields of which one or none may be there.
    may: &'static [&'static str],
}

const fn shape(
    kind: StructureKind,
    name: &'static str,
    needs: &'static [&'static str],
    may: &'static [&'static str],
) -> Shape {
    Shape {
        kind,
        name,
        needs,
        may,
    }
}

/// Every structure; the first field that is needed tells which one it is.
const SHAPES: [Shape; 15] = [
    shape(
        StructureKind::Sockaddr,
        "sockaddr",
        &["sa_family", "sin_port", "sin_addr"],
        &[],
    ),
    shape(
        StructureKind::Msghdr,
        "msghdr",
        &["msg_name", "msg_iov", "msg_flags"],
        &["msg_control"],
    ),
    shape(
        StructureKind::Cmsghdr,
        "cmsghdr",
        &["cmsg_level", "cmsg_type", "cmsg_data"],
        &[],
    ),
    shape(
        StructureKind::Cmsghdr,
        "cmsghdr",
        &["cmsg_len", "cmsg_level", "cmsg_type", "cmsg_data"],
        &[],
    ),
    shape(StructureKind::Iovec, "iovec", &["iov_base", "iov_len"], &[]),
    shape(
        StructureKind::Pollfd,
        "pollfd",
        &["fd", "events"],
        &["revents"],
    ),
    shape(
        StructureKind::EpollEvent,
        "epoll_event",
        &["events"],
        &["fd", "ptr", "u32", "u64"],
    ),
    shape(StructureKind::Linger, "linger", &["onoff", "linger"], &[]),
    shape(
        StructureKind::ScmTimestamping,
        "scm_timestamping",
        &["scm_sec", "scm_nsec"],
        &[],
    ),
    shape(
        StructureKind::SockExtendedErr,
        "sock_extended_err",
        &[
            "ee_errno",
            "ee_origin",
            "ee_type",
            "ee_code",
            "ee_info",
            "ee_data",
        ],
        &[],
    ),
    shape(
        StructureKind::AcceptFilterArg,
        "accept_filter_arg",
        &["af_name"],
        &["af_arg"],
    ),
    shape(
        StructureKind::TcpFunctionSet,
        "tcp_function_set",
        &["function_set_name", "pcbcnt"],
        &[],
    ),
    shape(
        StructureKind::TcpFastopen,
        "tcp_fastopen",
        &["enable", "psk"],
        &[],
    ),
    shape(
        StructureKind::TcpResetReason,
        "tcp_rst_reason",
        &["trr_flags", "trr_code", "trr_pen"],
        &[],
    ),
    shape(
        StructureKind::SfHdtr,
        "sf_hdtr",
        &["headers", "trailers"],
        &[],
    ),
];

impl Structure {
    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&Expr> {
        let field = self.fields.iter().find(|field| field.name == name);
        field.map(|field| &field.value)
    }

    /// The expressions right inside it.
    pub fn parts(&self) -> impl Iterator<Item = &Expr> {
        let all = self.fields.iter();
        all.flat_map(|field| field.count.iter().chain([&field.value]))
    }
}

impl StructureKind {
    /// The structure's name in C.
    pub fn name(self) -> &'static str {
        let shape = SHAPES.iter().find(|shape| shape.kind == self);
        shape.expect("each has a shape").name
    }
}

impl Shape {
    fn of(first: &str) -> Option<&'static Shape> {
        SHAPES.iter().find(|shape| shape.needs[0] == first)
    }

    fn field(&self, name: &str) -> Option<&'static str> {
        let mut all = self.needs.iter().chain(self.may).copied();
        all.find(|field| *field == name)
    }

    fn written(&self) -> String {
        let may = match self.may {
            [] => String::new(),
            may => format!(", and perhaps {}", may.join(" or ")),
        };
        format!("a {} has {}{may}", self.name, self.needs.join(", "))
    }
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> = self.fields.iter().map(Field::to_string).collect();
        write!(f, "{{{}}}", fields.join(", "))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.count {
            Some(count) => write!(f, "{}({count})={}", self.name, self.value),
            None => write!(f, "{}={}", self.name, self.value),
        }
    }
}

/// Parses what comes after an opening brace: a structure, or a group without names.
pub(super) fn braces(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<ExprKind> {
    let first = cursor.peek();
    let begins_field = cursor.peek_at(1).is(b'=') || cursor.peek_at(1).is(b'(');
    if first.kind != Kind::Word || !begins_field {
        return expr::list(cursor, b'}', depth).map(ExprKind::Group);
    }
    let Some(shape) = Shape::of(first.text) else {
        if cursor.peek_at(1).is(b'(') {
            return expr::list(cursor, b'}', depth).map(ExprKind::Group);
        }
        return Err(unknown(first.text, first.span));
    };
    let mut fields = Vec::new();
    loop {
        fields.push(field(cursor, shape, depth)?);
        if !cursor.take(b',') {
            break;
        }
    }
    cursor.expect(b'}', &shape.written())?;
    whole(shape, &fields, cursor.since(first.span))?;
    Ok(ExprKind::Structure(Structure {
        kind: shape.kind,
        fields,
    }))
}

fn field(cursor: &mut Cursor<'_>, shape: &Shape, depth: usize) -> Parsed<Field> {
    let token = cursor.peek();
    let word = cursor.word("a field", &shape.written())?;
    let name = shape.field(word).ok_or_else(|| {
        let what = format!("a {} has no field `{word}`", shape.name);
        Problem::new(token.span, what, "this field", shape.written())
    })?;
    let count = match cursor.take(b'(') {
        true => {
            let count = expr::nested(cursor, depth)?;
            cursor.expect(b')', "as in msg_iov(1)=[…]")?;
            Some(count)
        }
        false => None,
    };
    cursor.expect(b'=', "a field is NAME=VALUE")?;
    let value = expr::nested(cursor, depth)?;
    Ok(Field { name, count, value })
}

/// Each needed field once, each other at most once.
fn whole(shape: &Shape, fields: &[Field], span: Span) -> Parsed<()> {
    let times = |name: &str| fields.iter().filter(|field| field.name == name).count();
    let problem = |what| Err(Problem::new(span, what, "this structure", shape.written()));
    if let Some(missing) = shape.needs.iter().find(|name| times(name) == 0) {
        return problem(format!("the {} lacks its `{missing}`", shape.name));
    }
    if let Some(twice) = fields.iter().find(|field| times(field.name) > 1) {
        return problem(format!("`{}` is given twice", twice.name));
    }
    Ok(())
}

fn unknown(first: &str, span: Span) -> Problem {
    let names: Vec<&str> = SHAPES.iter().map(|shape| shape.needs[0]).collect();
    let what = format!("no structure begins with `{first}`");
    let otherwise = format!("structures begin with {}", names.join(", "));
    let hint = suggest::or_else(first, &names, &otherwise);
    Problem::new(span, what, "this field", hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Parsed<Expr> {
        let tokens = lex(text).expect("tokens");
        expr::expr(&mut Cursor::new(&tokens))
    }

    #[test]
    fn each_structure_is_known_by_its_first_field() {
        for (text, name) in [
            (
                "{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"192.0.2.1\")}",
                "sockaddr",
            ),
            (
                "{msg_name(...)=..., msg_iov(1)=[{..., 5}], msg_flags=0}",
                "msghdr",
            ),
            (
                "{msg_name(...)=..., msg_iov(1)=[{..., 5}], msg_flags=A|B, msg_control=[]}",
                "msghdr",
            ),
            ("{cmsg_level=A, cmsg_type=B, cmsg_data=1}", "cmsghdr"),
            (
                "{cmsg_len=20, cmsg_level=A, cmsg_type=B, cmsg_data=1}",
                "cmsghdr",
            ),
            ("{iov_base=..., iov_len=1}", "iovec"),
            ("{fd=3, events=POLLIN, revents=POLLIN|POLLOUT}", "pollfd"),
            ("{events=EPOLLIN, ptr=7}", "epoll_event"),
            ("{onoff=1, linger=0}", "linger"),
            ("{scm_sec=0, scm_nsec=5}", "scm_timestamping"),
            (
                "{ee_errno=0, ee_origin=A, ee_type=0, ee_code=0, ee_info=1, ee_data=0}",
                "sock_extended_err",
            ),
            ("{enable=1, psk=...}", "tcp_fastopen"),
        ] {
            let expr = parsed(text).expect(text);
            assert_eq!(expr.to_string(), text);
            let ExprKind::Structure(structure) = expr.kind else {
                panic!("{text} is no structure");
            };
            assert_eq!(structure.kind.name(), name);
        }
    }

    #[test]
    fn a_structure_has_its_fields_and_no_others() {
        for text in [
            "{onoff=1}",
            "{onoff=1, onoff=1, linger=0}",
            "{onoff=1, linger=0, fd=3}",
            "{linger=0, onoff=1}",
            "{onof=1, linger=0}",
            "{sa_family=AF_INET}",
            "{msg_name(...)}",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
        assert_eq!(
            parsed("{onof=1, linger=0}").expect_err("a slip").hint,
            "did you mean `onoff`?"
        );
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        let ExprKind::Structure(linger) = parsed("{onoff=1, linger=5}").expect("linger").kind
        else {
            panic!("no structure");
        };
        assert_eq!(linger.get("linger").and_then(Expr::integer), Some(5));
        assert!(linger.get("fd").is_none());
    }
}
