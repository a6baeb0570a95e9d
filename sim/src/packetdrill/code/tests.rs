//! The Python that scripts are written in, and where it ends.

use super::{Block, run};

/// Runs one block over a sample in which `tcpi_snd_cwnd` is 10.
fn one(text: &str) -> Result<String, String> {
    let field = |name: &str| (name == "tcpi_snd_cwnd").then_some(10);
    let field = &field;
    run(&[Block { text, field }]).map_err(|problem| problem.to_string())
}

#[test]
fn an_assertion_that_holds_says_nothing() {
    for text in [
        "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd",
        " assert 5 <= tcpi_snd_cwnd <= 10 ",
        "assert (tcpi_snd_cwnd & 0x2) != 0 and not tcpi_snd_cwnd & 1; assert True",
        "assert 7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 and 7 % -3 == -2 and 7 / 2 == 3.5",
        "assert 1 | 6 ^ 3 & 2 == 4 or True # a comment",
        "assert 1 << 100 > 0x7fffffff",
        "assert max(1, 2.5, 2) == 2.5 and abs(-3) == 3 and int(3.9) == 3",
        "assert ('a' + \"b\") == 'ab'",
        "x = 3 if tcpi_snd_cwnd > 5 else 4\nassert x == 3",
        "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd; \\\n  assert (1 +\n 1) == 2",
        "if tcpi_snd_cwnd == 9:\n  assert False\nelif tcpi_snd_cwnd == 10: pass\nelse:\n  assert False\nassert True",
        "assert TCP_CA_Recovery == 3 and TCPI_ESTABLISHED == 4 and TCP_ESTABLISHED == 1",
        "",
        "# nothing",
    ] {
        assert_eq!(one(text), Ok(String::new()), "{text}");
    }
}

#[test]
fn one_that_does_not_says_its_message_or_its_values() {
    assert_eq!(
        one("\nassert tcpi_snd_cwnd == 11, 'cwnd=%d' % tcpi_snd_cwnd"),
        Err("line 2 of the code block: `tcpi_snd_cwnd == 11` does not hold: cwnd=10".into())
    );
    assert_eq!(
        one("assert 1 < tcpi_snd_cwnd < 2+2"),
        Err(
            "line 1 of the code block: `1 < tcpi_snd_cwnd < 2 + 2` does not hold: 1 < 10 < 4"
                .into()
        )
    );
}

#[test]
fn variables_outlive_their_block_and_fields_do_not() {
    let (ten, eleven) = (|_: &str| Some(10), |_: &str| Some(11));
    let blocks = [
        Block {
            text: "cwnd = 10; print(tcpi_snd_cwnd)",
            field: &ten,
        },
        Block {
            text: "print(tcpi_snd_cwnd); cwnd += 1; assert tcpi_snd_cwnd == cwnd, tcpi_snd_cwnd",
            field: &eleven,
        },
    ];
    assert_eq!(run(&blocks), Ok("10\n11\n".into()));
}

#[test]
fn a_problem_names_its_block() {
    let none = |_: &str| None;
    let block = |text| Block { text, field: &none };
    let problem = run(&[block("a = 1"), block("\nassert a == 2")]).expect_err("it is 1");
    assert_eq!((problem.block, problem.line), (1, 2));
}

#[test]
fn formats_are_printf_s() {
    assert_eq!(
        one("print('%d %5.1f|%-4s|%03d%% %x' % (7, 2.25, 'ab', 7, 255), 1 == 1)"),
        Ok("7   2.2|ab  |007% ff True\n".into())
    );
    for text in [
        "'%d' % 'x'",
        "'%d'  % (1, 2)",
        "'%d %d' % 1",
        "'%q' % 1",
        "'%999d' % 1",
    ] {
        assert!(one(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_not_in_the_subset_is_named() {
    for (text, what) in [
        ("import os", "`import` is not part"),
        ("while True: pass", "`while` is not part"),
        ("x.y", "a semicolon is missing before `.`"),
        ("open('/etc/passwd')", "no function `open`"),
        ("__import__('os')", "no function `__import__`"),
        ("assert nothing", "no variable, field or constant `nothing`"),
        (
            "assert 1 +",
            "a value is missing before `the end of the line`",
        ),
        ("assert (1", "a closing bracket is missing"),
        ("x = 'a", "`'a` is not part"),
        ("x = 1 $ 2", "`$` is not part"),
        ("x = 1 / 0", "division by zero"),
        ("x = 1 << 1000", "a number is too large"),
        ("x = 'a' - 1", "`-` does not go with a text and an integer"),
        ("x = 12ab", "`12ab` is not part"),
        ("if 1:\nx = 2", "an indented statement is missing"),
    ] {
        let problem = one(text).expect_err(text);
        assert!(problem.contains(what), "{text}: {problem}");
    }
}

#[test]
fn depth_and_work_have_bounds() {
    for text in [
        format!("x = {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("x = {}1", "-".repeat(10_000)),
        format!("x = {}1", "1 + ".repeat(300_000)),
        format!("x = {}1", "not ".repeat(10_000)),
        format!("x = {}1", "1 if 1 else ".repeat(10_000)),
        format!("x = 'a'\n{}", "x = x + x\n".repeat(60)),
        format!("x = 9\n{}", "x = x * x\n".repeat(60)),
        format!("x = (1,)\n{}", "x = (x, x)\n".repeat(60)),
        format!("x = (1,)\n{}", "x = str((x, x))\n".repeat(60)),
        format!(
            "x = '{}'\n{}",
            "a".repeat(60_000),
            "x == x\n".repeat(60_000)
        ),
    ] {
        assert!(one(&text).is_err());
    }
    let nested: String = (0..10_000)
        .map(|n| format!("{}if 1:\n", " ".repeat(n.min(300))))
        .collect();
    assert!(one(&nested).is_err());
}
