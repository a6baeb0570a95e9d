//! Xen's public headers as the judge of `xen_abi`.
//!
//! Each size, offset and number that `xen_abi` states stands here beside the C expression that it must equal. A C
//! program that prints them all is compiled against Debian's `libxen-dev`; where that is not installed the test is
//! skipped by name, unless `EVILBIT_REQUIRE_XEN_HEADERS=1`.

mod claims;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use claims::Claims;

const INCLUDES: &str = "
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/ring.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#define SHARED(member) offsetof(struct shared_info, member)
#define VCPU(member) offsetof(struct vcpu_info, member)
";

fn program(claims: &Claims) -> String {
    let mut text = String::from(INCLUDES);
    text.push_str("int main(void) {\n");
    for (expression, _) in &claims.0 {
        writeln!(text, "  printf(\"%lld\\n\", (long long)({expression}));").unwrap();
    }
    text.push_str("  return 0;\n}\n");
    text
}

fn run(claims: &Claims) -> Vec<i64> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (folder.join("xen_headers.c"), folder.join("xen_headers"));
    std::fs::write(&source, program(claims)).unwrap();
    let compiled = Command::new("gcc")
        .arg("-o")
        .arg(&binary)
        .arg(&source)
        .status()
        .expect("gcc is installed");
    assert!(compiled.success(), "the program compiles");
    let output = Command::new(&binary).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect()
}

#[test]
fn every_size_offset_and_number_is_xens() {
    if !Path::new("/usr/include/xen/event_channel.h").exists() {
        let required = std::env::var("EVILBIT_REQUIRE_XEN_HEADERS").as_deref() == Ok("1");
        assert!(!required, "libxen-dev is not installed");
        println!("skipped: libxen-dev is not installed");
        return;
    }
    let claims = Claims::collect();
    let answers = run(&claims);
    assert_eq!(answers.len(), claims.0.len());
    let wrong: Vec<_> = claims
        .0
        .iter()
        .zip(answers)
        .filter(|((_, ours), xens)| ours != xens)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
