//! The rules of grant tables, as the public header and a real Xen state them.

use xen_abi::grant_table::{
    CopyPtr, GTF_READING, GTF_READONLY, GTF_WRITING, GntMap, GnttabCopy, GnttabMapGrantRef,
    GnttabOp, GnttabQuerySize, GnttabSetupTable, GnttabUnmapGrantRef, gntst,
};
use xen_abi::{DomId, Errno, Gfn, GrantRef, Width};

use crate::fixture::{A, B, DOM0, two_domains};
use crate::hypervisor::{Fault, Hypervisor};

const REF: GrantRef = GrantRef(8);
const PAGE: Gfn = Gfn(10);
const HOLE: Gfn = Gfn(0x10_0010);

fn map(hv: &mut Hypervisor, who: DomId, dom: DomId, flags: GntMap) -> GnttabMapGrantRef {
    let mut op = GnttabMapGrantRef {
        host_addr: HOLE.gpa(),
        flags: GntMap::HOST_MAP | flags,
        gref: REF,
        dom: dom.0,
        ..GnttabMapGrantRef::default()
    };
    let batch = std::slice::from_mut(&mut op);
    assert_eq!(hv.grant_table_op(who, GnttabOp::MapGrantRef(batch)), Ok(0));
    op
}

fn unmap(hv: &mut Hypervisor, who: DomId, mapped: &GnttabMapGrantRef) -> i16 {
    let mut op = GnttabUnmapGrantRef {
        host_addr: mapped.host_addr,
        handle: mapped.handle,
        status: 0,
    };
    let batch = std::slice::from_mut(&mut op);
    assert_eq!(
        hv.grant_table_op(who, GnttabOp::UnmapGrantRef(batch)),
        Ok(0)
    );
    op.status
}

fn copy(hv: &mut Hypervisor, who: DomId, source: CopyPtr, dest: CopyPtr, len: u16) -> i16 {
    let mut op = GnttabCopy {
        source,
        dest,
        len,
        status: 0,
    };
    let batch = std::slice::from_mut(&mut op);
    assert_eq!(hv.grant_table_op(who, GnttabOp::Copy(batch)), Ok(0));
    op.status
}

fn by_ref(domid: DomId, offset: u16) -> CopyPtr {
    CopyPtr::Ref {
        gref: REF,
        domid,
        offset,
    }
}

fn own(gfn: Gfn, offset: u16) -> CopyPtr {
    CopyPtr::Frame {
        gfn,
        domid: DomId::SELF,
        offset,
    }
}

#[test]
fn a_mapped_page_is_one_page_under_two_names() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, 0);
    let mapped = map(&mut hv, B, A, GntMap::empty());
    assert_eq!(mapped.status, gntst::OKAY);
    hv.write(B, HOLE.gpa().add(5), b"from B").unwrap();
    let mut seen = [0; 6];
    hv.read(A, PAGE.gpa().add(5), &mut seen).unwrap();
    assert_eq!(&seen, b"from B");
    assert_eq!(hv.flags(A, REF), 1 | GTF_READING | GTF_WRITING);
    assert_eq!(unmap(&mut hv, B, &mapped), gntst::OKAY);
    assert_eq!(hv.flags(A, REF), 1);
    let gone = hv.load(B, HOLE.gpa(), Width::B1);
    assert_eq!(gone, Err(Fault::NotPresent(HOLE.gpa())));
}

#[test]
fn a_read_only_grant_is_mapped_read_only_or_not_at_all() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, GTF_READONLY);
    let refused = map(&mut hv, B, A, GntMap::empty());
    assert_eq!(refused.status, gntst::GENERAL_ERROR);
    let mapped = map(&mut hv, B, A, GntMap::READONLY);
    assert_eq!(mapped.status, gntst::OKAY);
    assert_eq!(hv.flags(A, REF), 1 | GTF_READONLY | GTF_READING);
    let written = hv.store(B, HOLE.gpa(), Width::B1, 1);
    assert_eq!(written, Err(Fault::ReadOnly(HOLE.gpa())));
    assert_eq!(unmap(&mut hv, B, &mapped), gntst::OKAY);
}

#[test]
fn a_grant_is_for_the_domain_that_it_names() {
    let mut hv = two_domains();
    hv.grant(A, REF, DOM0, PAGE, 0);
    let status = map(&mut hv, B, A, GntMap::empty()).status;
    assert_eq!(status, gntst::GENERAL_ERROR);
    hv.grant(A, REF, DomId::SELF, PAGE, 0);
    let status = copy(&mut hv, A, by_ref(DomId::SELF, 0), own(Gfn(11), 0), 4);
    assert_eq!(status, gntst::GENERAL_ERROR, "by its real number");
}

#[test]
fn a_grant_of_nothing_is_a_bad_page() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, Gfn(0xDEAD_BEEF), 0);
    let status = map(&mut hv, B, A, GntMap::empty()).status;
    assert_eq!(status, gntst::BAD_PAGE);
}

#[test]
fn nothing_is_mapped_over_a_frame() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, 0);
    let mut op = GnttabMapGrantRef {
        host_addr: Gfn(3).gpa(),
        flags: GntMap::HOST_MAP,
        gref: REF,
        dom: A.0,
        ..GnttabMapGrantRef::default()
    };
    let batch = std::slice::from_mut(&mut op);
    assert_eq!(hv.grant_table_op(B, GnttabOp::MapGrantRef(batch)), Ok(0));
    assert_eq!(op.status, gntst::GENERAL_ERROR);
    assert_eq!(hv.flags(A, REF), 1, "and the entry is not in use");
}

#[test]
fn an_entry_in_use_is_known_by_its_flags_and_outlives_its_revocation() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, 0);
    let mapped = map(&mut hv, B, A, GntMap::empty());
    hv.store(A, Hypervisor::entry_of(REF), Width::B2, 0)
        .unwrap();
    hv.write(B, HOLE.gpa(), b"still").unwrap();
    assert_eq!(unmap(&mut hv, B, &mapped), gntst::OKAY);
    let again = map(&mut hv, B, A, GntMap::empty());
    assert_eq!(again.status, gntst::GENERAL_ERROR);
}

#[test]
fn a_page_that_is_given_up_while_mapped_lives_until_it_is_unmapped() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, 0);
    hv.write(A, PAGE.gpa(), b"kept").unwrap();
    let mapped = map(&mut hv, B, A, GntMap::empty());
    let before = hv.memory.live();
    let mut op = xen_abi::memory::MemoryOp::DecreaseReservation {
        domid: DomId::SELF,
        extents: &[PAGE],
    };
    assert_eq!(hv.memory_op(A, &mut op), Ok(1));
    let mut seen = [0; 4];
    hv.read(B, HOLE.gpa(), &mut seen).unwrap();
    assert_eq!((&seen, hv.memory.live()), (b"kept", before));
    assert_eq!(unmap(&mut hv, B, &mapped), gntst::OKAY);
    assert_eq!(hv.memory.live(), before - 1);
}

#[test]
fn a_copy_never_crosses_a_page() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, 0);
    let full = copy(&mut hv, B, by_ref(A, 0), own(PAGE, 0), 4096);
    assert_eq!(full, gntst::OKAY);
    let over = copy(&mut hv, B, by_ref(A, 1), own(PAGE, 0), 4096);
    assert_eq!(over, gntst::BAD_COPY_ARG);
    let over = copy(&mut hv, B, by_ref(A, 0), own(PAGE, 4095), 2);
    assert_eq!(over, gntst::BAD_COPY_ARG);
}

#[test]
fn a_copy_leaves_no_grant_in_use() {
    let mut hv = two_domains();
    hv.grant(A, REF, B, PAGE, 0);
    hv.write(B, PAGE.gpa(), b"copied").unwrap();
    let status = copy(&mut hv, B, own(PAGE, 0), by_ref(A, 2), 6);
    assert_eq!((status, hv.flags(A, REF)), (gntst::OKAY, 1));
    let mut seen = [0; 6];
    hv.read(A, PAGE.gpa().add(2), &mut seen).unwrap();
    assert_eq!(&seen, b"copied");
    assert_eq!(hv.domain(A).unwrap().grants.in_use(), 0);
}

#[test]
fn frames_by_number_are_only_ones_own() {
    let mut hv = two_domains();
    let foreign = CopyPtr::Frame {
        gfn: PAGE,
        domid: A,
        offset: 0,
    };
    let status = copy(&mut hv, B, foreign, own(PAGE, 0), 1);
    assert_eq!(status, gntst::PERMISSION_DENIED);
    let status = copy(&mut hv, B, own(Gfn(0xFFFF), 0), own(PAGE, 0), 1);
    assert_eq!(status, gntst::BAD_PAGE);
}

#[test]
fn a_table_grows_to_64_frames_and_is_ones_own() {
    let mut hv = two_domains();
    let setup = |hv: &mut Hypervisor, dom, nr_frames| {
        let mut op = GnttabSetupTable {
            dom,
            nr_frames,
            status: 0,
        };
        assert_eq!(hv.grant_table_op(A, GnttabOp::SetupTable(&mut op)), Ok(0));
        op.status
    };
    assert_eq!(setup(&mut hv, DomId::SELF, 64), gntst::OKAY);
    assert_eq!(setup(&mut hv, DomId::SELF, 65), gntst::GENERAL_ERROR);
    assert_eq!(setup(&mut hv, B, 2), gntst::PERMISSION_DENIED);
    assert_eq!(setup(&mut hv, DomId(77), 2), gntst::BAD_DOMAIN);
    let mut query = GnttabQuerySize {
        dom: A,
        nr_frames: 0,
        max_nr_frames: 0,
        status: 0,
    };
    assert_eq!(hv.grant_table_op(A, GnttabOp::QuerySize(&mut query)), Ok(0));
    assert_eq!((query.nr_frames, query.max_nr_frames), (64, 64));
}

#[test]
fn transfers_are_refused_and_versions_but_one_too() {
    let mut hv = two_domains();
    let mut status = 0;
    let transfer = GnttabOp::Transfer {
        gref: REF,
        domid: B,
        status: &mut status,
    };
    assert_eq!(hv.grant_table_op(A, transfer), Err(Errno::ENOSYS));
    assert_eq!(hv.grant_table_op(A, GnttabOp::SetVersion(&mut 1)), Ok(0));
    let two = hv.grant_table_op(A, GnttabOp::SetVersion(&mut 2));
    assert_eq!(two, Err(Errno::ENOSYS));
}

#[test]
fn a_frame_is_private_only_while_no_entry_permits_access_to_it() {
    let mut hv = two_domains();
    assert!(hv.private_frame(A, PAGE).is_ok());
    hv.grant(A, REF, B, PAGE, 0);
    assert_eq!(hv.private_frame(A, PAGE), Err(Fault::Shared(PAGE)));
    hv.grant(A, GrantRef(9), DOM0, PAGE, 0);
    let end = |hv: &mut Hypervisor, gref| {
        hv.store(A, Hypervisor::entry_of(gref), Width::B2, 0)
            .unwrap();
    };
    end(&mut hv, REF);
    assert_eq!(hv.private_frame(A, PAGE), Err(Fault::Shared(PAGE)));
    end(&mut hv, GrantRef(9));
    assert!(hv.private_frame(A, PAGE).is_ok());
}

#[test]
fn dom0_copies_between_its_own_memory_and_a_grant() {
    let mut hv = two_domains();
    hv.grant(A, REF, DOM0, PAGE, 0);
    assert_eq!(hv.copy_to_grant(A, REF, 7, b"frame"), gntst::OKAY);
    let mut seen = [0; 5];
    assert_eq!(hv.copy_from_grant(A, REF, 7, &mut seen), gntst::OKAY);
    assert_eq!(&seen, b"frame");
    let over = hv.copy_from_grant(A, REF, 4092, &mut seen);
    assert_eq!(over, gntst::BAD_COPY_ARG);
    let none = hv.copy_from_grant(A, GrantRef(99_999), 0, &mut seen);
    assert_eq!(none, gntst::BAD_GNTREF);
    let nobody = hv.copy_from_grant(DomId(9), REF, 0, &mut seen);
    assert_eq!(nobody, gntst::BAD_DOMAIN);
}
