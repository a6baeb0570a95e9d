//! What `xen_abi` states, each beside the C expression that it must equal.

use std::mem::offset_of;

use xen_abi::event_channel as evtchn;
use xen_abi::event_channel::EvtchnStatus;
use xen_abi::grant_table as gnttab;
use xen_abi::grant_table::{GntCopy, GntMap, GrantEntryV1, gntst};
use xen_abi::io::netif::{self, NetifRxRequest, NetifRxResponse, NetifTxRequest, NetifTxResponse};
use xen_abi::io::xenbus::XenbusState;
use xen_abi::io::xs_wire::{self, XsdSockmsg, xs};
use xen_abi::io::{console, ring};
use xen_abi::sched::ShutdownReason;
use xen_abi::start_info::{self, HvmMemmapTableEntry, HvmModlistEntry, HvmStartInfo};
use xen_abi::{DomId, Errno, Port, hvm, shared_info, version};

/// The C expressions and what `xen_abi` says.
#[derive(Default)]
pub struct Claims(pub Vec<(String, i64)>);

impl Claims {
    /// All of them.
    pub fn collect() -> Claims {
        let mut claims = Claims::default();
        for part in [
            numbers,
            errnos,
            event_channels,
            grants,
            shared_page,
            boot,
            network,
            rings,
            states,
        ] {
            part(&mut claims);
        }
        claims
    }

    fn all(&mut self, claims: &[(&str, i64)]) {
        for &(expression, value) in claims {
            self.0.push((expression.to_owned(), value));
        }
    }

    fn layout(&mut self, name: &str, size: usize, fields: &[(&str, usize)]) {
        self.0.push((format!("sizeof({name})"), size as i64));
        for (field, offset) in fields {
            let expression = format!("offsetof({name}, {field})");
            self.0.push((expression, *offset as i64));
        }
    }
}

fn numbers(claims: &mut Claims) {
    claims.all(&[
        ("DOMID_SELF", DomId::SELF.0.into()),
        ("DOMID_FIRST_RESERVED", DomId::FIRST_RESERVED.into()),
        ("HVM_PARAM_CALLBACK_IRQ", hvm::HVM_PARAM_CALLBACK_IRQ.into()),
        ("HVM_PARAM_STORE_PFN", hvm::HVM_PARAM_STORE_PFN.into()),
        ("HVM_PARAM_STORE_EVTCHN", hvm::HVM_PARAM_STORE_EVTCHN.into()),
        ("HVM_PARAM_CONSOLE_PFN", hvm::HVM_PARAM_CONSOLE_PFN.into()),
        (
            "HVM_PARAM_CONSOLE_EVTCHN",
            hvm::HVM_PARAM_CONSOLE_EVTCHN.into(),
        ),
        ("HVM_NR_PARAMS", hvm::HVM_NR_PARAMS.into()),
        ("SHUTDOWN_poweroff", ShutdownReason::Poweroff as i64),
        ("SHUTDOWN_reboot", ShutdownReason::Reboot as i64),
        ("SHUTDOWN_suspend", ShutdownReason::Suspend as i64),
        ("SHUTDOWN_crash", ShutdownReason::Crash as i64),
        ("SHUTDOWN_watchdog", ShutdownReason::Watchdog as i64),
        ("XENMAPSPACE_shared_info", 0),
        ("XENMAPSPACE_grant_table", 1),
        (
            "XENFEAT_auto_translated_physmap",
            version::XENFEAT_AUTO_TRANSLATED_PHYSMAP.into(),
        ),
        (
            "XENFEAT_hvm_callback_vector",
            version::XENFEAT_HVM_CALLBACK_VECTOR.into(),
        ),
        (
            "XENFEAT_hvm_safe_pvclock",
            version::XENFEAT_HVM_SAFE_PVCLOCK.into(),
        ),
        (
            "XENFEAT_memory_op_vnode_supported",
            version::XENFEAT_MEMORY_OP_VNODE_SUPPORTED.into(),
        ),
        ("XEN_CPUID_FIRST_LEAF", version::CPUID_FIRST_LEAF.into()),
        (
            "XEN_CPUID_SIGNATURE_EBX",
            version::CPUID_SIGNATURE[0].into(),
        ),
        (
            "XEN_CPUID_SIGNATURE_ECX",
            version::CPUID_SIGNATURE[1].into(),
        ),
        (
            "XEN_CPUID_SIGNATURE_EDX",
            version::CPUID_SIGNATURE[2].into(),
        ),
        (
            "XEN_HVM_CPUID_VCPU_ID_PRESENT",
            version::CPUID_VCPU_ID_PRESENT.into(),
        ),
        (
            "XEN_HVM_CPUID_DOMID_PRESENT",
            version::CPUID_DOMID_PRESENT.into(),
        ),
    ]);
}

fn errnos(claims: &mut Claims) {
    use Errno::*;
    for errno in [
        EPERM, ENOENT, ESRCH, EIO, ENXIO, E2BIG, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY,
        EEXIST, EXDEV, ENODEV, EISDIR, EINVAL, EROFS, ENOSPC, ENOTEMPTY, ENOSYS, ENODATA, ETIME,
        EOPNOTSUPP, EISCONN,
    ] {
        let expression = format!("-XEN_{}", errno.name());
        claims.0.push((expression, errno.code()));
    }
}

fn event_channels(claims: &mut Claims) {
    let dom = DomId(0);
    let port = Port(0);
    claims.all(&[
        ("EVTCHNSTAT_closed", EvtchnStatus::Closed.code().into()),
        (
            "EVTCHNSTAT_unbound",
            EvtchnStatus::Unbound { dom }.code().into(),
        ),
        (
            "EVTCHNSTAT_interdomain",
            EvtchnStatus::Interdomain { dom, port }.code().into(),
        ),
        (
            "EVTCHNSTAT_pirq",
            EvtchnStatus::Pirq { pirq: 0 }.code().into(),
        ),
        (
            "EVTCHNSTAT_virq",
            EvtchnStatus::Virq { virq: 0 }.code().into(),
        ),
        ("EVTCHNSTAT_ipi", EvtchnStatus::Ipi.code().into()),
        ("VIRQ_TIMER", evtchn::VIRQ_TIMER.into()),
        ("VIRQ_DEBUG", evtchn::VIRQ_DEBUG.into()),
        ("VIRQ_CONSOLE", evtchn::VIRQ_CONSOLE.into()),
        ("VIRQ_DOM_EXC", evtchn::VIRQ_DOM_EXC.into()),
        ("NR_VIRQS", evtchn::NR_VIRQS.into()),
        (
            "EVTCHN_2L_NR_CHANNELS",
            evtchn::EVTCHN_2L_NR_CHANNELS.into(),
        ),
    ]);
}

fn grants(claims: &mut Claims) {
    claims.layout(
        "grant_entry_v1_t",
        size_of::<GrantEntryV1>(),
        &[
            ("flags", offset_of!(GrantEntryV1, flags)),
            ("domid", offset_of!(GrantEntryV1, domid)),
            ("frame", offset_of!(GrantEntryV1, frame)),
        ],
    );
    claims.all(&[
        ("GTF_invalid", gnttab::GTF_INVALID.into()),
        ("GTF_permit_access", gnttab::GTF_PERMIT_ACCESS.into()),
        ("GTF_accept_transfer", gnttab::GTF_ACCEPT_TRANSFER.into()),
        ("GTF_type_mask", gnttab::GTF_TYPE_MASK.into()),
        ("GTF_readonly", gnttab::GTF_READONLY.into()),
        ("GTF_reading", gnttab::GTF_READING.into()),
        ("GTF_writing", gnttab::GTF_WRITING.into()),
        (
            "4096 / sizeof(grant_entry_v1_t)",
            gnttab::GRANT_ENTRIES_PER_FRAME.into(),
        ),
        (
            "GNTTAB_NR_RESERVED_ENTRIES",
            gnttab::GNTTAB_NR_RESERVED_ENTRIES.into(),
        ),
        (
            "GNTTAB_RESERVED_CONSOLE",
            gnttab::GNTTAB_RESERVED_CONSOLE.0.into(),
        ),
        (
            "GNTTAB_RESERVED_XENSTORE",
            gnttab::GNTTAB_RESERVED_XENSTORE.0.into(),
        ),
        ("GNTMAP_device_map", GntMap::DEVICE_MAP.bits().into()),
        ("GNTMAP_host_map", GntMap::HOST_MAP.bits().into()),
        ("GNTMAP_readonly", GntMap::READONLY.bits().into()),
        ("GNTCOPY_source_gref", GntCopy::SOURCE_GREF.bits().into()),
        ("GNTCOPY_dest_gref", GntCopy::DEST_GREF.bits().into()),
        ("GNTST_okay", gntst::OKAY.into()),
        ("GNTST_general_error", gntst::GENERAL_ERROR.into()),
        ("GNTST_bad_domain", gntst::BAD_DOMAIN.into()),
        ("GNTST_bad_gntref", gntst::BAD_GNTREF.into()),
        ("GNTST_bad_handle", gntst::BAD_HANDLE.into()),
        ("GNTST_bad_virt_addr", gntst::BAD_VIRT_ADDR.into()),
        ("GNTST_bad_dev_addr", gntst::BAD_DEV_ADDR.into()),
        ("GNTST_no_device_space", gntst::NO_DEVICE_SPACE.into()),
        ("GNTST_permission_denied", gntst::PERMISSION_DENIED.into()),
        ("GNTST_bad_page", gntst::BAD_PAGE.into()),
        ("GNTST_bad_copy_arg", gntst::BAD_COPY_ARG.into()),
        ("GNTST_address_too_big", gntst::ADDRESS_TOO_BIG.into()),
        ("GNTST_eagain", gntst::EAGAIN.into()),
        ("GNTST_no_space", gntst::NO_SPACE.into()),
    ]);
}

fn shared_page(claims: &mut Claims) {
    let at = |offset: u64| offset as i64;
    claims.all(&[
        (
            "sizeof(struct shared_info)",
            shared_info::SHARED_INFO_SIZE as i64,
        ),
        (
            "sizeof(struct vcpu_info)",
            shared_info::VCPU_INFO_SIZE as i64,
        ),
        (
            "VCPU(evtchn_upcall_pending)",
            at(shared_info::VCPU_EVTCHN_UPCALL_PENDING),
        ),
        (
            "VCPU(evtchn_upcall_mask)",
            at(shared_info::VCPU_EVTCHN_UPCALL_MASK),
        ),
        (
            "VCPU(evtchn_pending_sel)",
            at(shared_info::VCPU_EVTCHN_PENDING_SEL),
        ),
        ("VCPU(time)", at(shared_info::VCPU_TIME)),
        ("VCPU(time.version)", at(shared_info::VCPU_TIME_VERSION)),
        (
            "VCPU(time.tsc_timestamp)",
            at(shared_info::VCPU_TIME_TSC_TIMESTAMP),
        ),
        (
            "VCPU(time.system_time)",
            at(shared_info::VCPU_TIME_SYSTEM_TIME),
        ),
        (
            "VCPU(time.tsc_to_system_mul)",
            at(shared_info::VCPU_TIME_TSC_TO_SYSTEM_MUL),
        ),
        ("VCPU(time.tsc_shift)", at(shared_info::VCPU_TIME_TSC_SHIFT)),
        ("SHARED(vcpu_info)", 0),
        ("SHARED(evtchn_pending)", at(shared_info::EVTCHN_PENDING)),
        ("SHARED(evtchn_mask)", at(shared_info::EVTCHN_MASK)),
        ("SHARED(wc_version)", at(shared_info::WC_VERSION)),
        ("SHARED(wc_sec)", at(shared_info::WC_SEC)),
        ("SHARED(wc_nsec)", at(shared_info::WC_NSEC)),
        ("SHARED(wc_sec_hi)", at(shared_info::WC_SEC_HI)),
    ]);
}

fn boot(claims: &mut Claims) {
    claims.layout(
        "struct hvm_start_info",
        size_of::<HvmStartInfo>(),
        &[
            ("magic", offset_of!(HvmStartInfo, magic)),
            ("version", offset_of!(HvmStartInfo, version)),
            ("flags", offset_of!(HvmStartInfo, flags)),
            ("nr_modules", offset_of!(HvmStartInfo, nr_modules)),
            ("modlist_paddr", offset_of!(HvmStartInfo, modlist_paddr)),
            ("cmdline_paddr", offset_of!(HvmStartInfo, cmdline_paddr)),
            ("rsdp_paddr", offset_of!(HvmStartInfo, rsdp_paddr)),
            ("memmap_paddr", offset_of!(HvmStartInfo, memmap_paddr)),
            ("memmap_entries", offset_of!(HvmStartInfo, memmap_entries)),
            ("reserved", offset_of!(HvmStartInfo, reserved)),
        ],
    );
    claims.layout(
        "struct hvm_modlist_entry",
        size_of::<HvmModlistEntry>(),
        &[
            ("paddr", offset_of!(HvmModlistEntry, paddr)),
            ("size", offset_of!(HvmModlistEntry, size)),
            ("cmdline_paddr", offset_of!(HvmModlistEntry, cmdline_paddr)),
            ("reserved", offset_of!(HvmModlistEntry, reserved)),
        ],
    );
    claims.layout(
        "struct hvm_memmap_table_entry",
        size_of::<HvmMemmapTableEntry>(),
        &[
            ("addr", offset_of!(HvmMemmapTableEntry, addr)),
            ("size", offset_of!(HvmMemmapTableEntry, size)),
            ("type", offset_of!(HvmMemmapTableEntry, kind)),
            ("reserved", offset_of!(HvmMemmapTableEntry, reserved)),
        ],
    );
    claims.all(&[
        ("XEN_HVM_START_MAGIC_VALUE", start_info::START_MAGIC.into()),
        (
            "XEN_HVM_MEMMAP_TYPE_RAM",
            start_info::MEMMAP_TYPE_RAM.into(),
        ),
        (
            "XEN_HVM_MEMMAP_TYPE_RESERVED",
            start_info::MEMMAP_TYPE_RESERVED.into(),
        ),
    ]);
}

fn network(claims: &mut Claims) {
    claims.layout(
        "netif_tx_request_t",
        size_of::<NetifTxRequest>(),
        &[
            ("gref", offset_of!(NetifTxRequest, gref)),
            ("offset", offset_of!(NetifTxRequest, offset)),
            ("flags", offset_of!(NetifTxRequest, flags)),
            ("id", offset_of!(NetifTxRequest, id)),
            ("size", offset_of!(NetifTxRequest, size)),
        ],
    );
    claims.layout(
        "netif_tx_response_t",
        size_of::<NetifTxResponse>(),
        &[
            ("id", offset_of!(NetifTxResponse, id)),
            ("status", offset_of!(NetifTxResponse, status)),
        ],
    );
    claims.layout(
        "netif_rx_request_t",
        size_of::<NetifRxRequest>(),
        &[
            ("id", offset_of!(NetifRxRequest, id)),
            ("gref", offset_of!(NetifRxRequest, gref)),
        ],
    );
    claims.layout(
        "netif_rx_response_t",
        size_of::<NetifRxResponse>(),
        &[
            ("id", offset_of!(NetifRxResponse, id)),
            ("offset", offset_of!(NetifRxResponse, offset)),
            ("flags", offset_of!(NetifRxResponse, flags)),
            ("status", offset_of!(NetifRxResponse, status)),
        ],
    );
    claims.all(&[
        ("NETTXF_csum_blank", netif::NETTXF_CSUM_BLANK.into()),
        ("NETTXF_data_validated", netif::NETTXF_DATA_VALIDATED.into()),
        ("NETTXF_more_data", netif::NETTXF_MORE_DATA.into()),
        ("NETTXF_extra_info", netif::NETTXF_EXTRA_INFO.into()),
        ("NETRXF_data_validated", netif::NETRXF_DATA_VALIDATED.into()),
        ("NETRXF_csum_blank", netif::NETRXF_CSUM_BLANK.into()),
        ("NETRXF_more_data", netif::NETRXF_MORE_DATA.into()),
        ("NETRXF_extra_info", netif::NETRXF_EXTRA_INFO.into()),
        ("NETIF_RSP_OKAY", netif::NETIF_RSP_OKAY.into()),
        ("NETIF_RSP_ERROR", netif::NETIF_RSP_ERROR.into()),
        ("NETIF_RSP_DROPPED", netif::NETIF_RSP_DROPPED.into()),
        ("NETIF_RSP_NULL", netif::NETIF_RSP_NULL.into()),
        ("XEN_NETIF_NR_SLOTS_MIN", netif::NR_SLOTS_MIN.into()),
        (
            "__CONST_RING_SIZE(netif_tx, 4096)",
            netif::RING_SLOTS.into(),
        ),
        (
            "__CONST_RING_SIZE(netif_rx, 4096)",
            netif::RING_SLOTS.into(),
        ),
        (
            "sizeof(union netif_tx_sring_entry)",
            netif::TX_STRIDE as i64,
        ),
        (
            "sizeof(union netif_rx_sring_entry)",
            netif::RX_STRIDE as i64,
        ),
    ]);
}

fn rings(claims: &mut Claims) {
    let at = |offset: u64| offset as usize;
    claims.all(&[
        ("offsetof(struct netif_tx_sring, ring)", ring::SLOTS as i64),
        (
            "offsetof(struct netif_tx_sring, req_prod)",
            ring::REQ_PROD as i64,
        ),
        (
            "offsetof(struct netif_tx_sring, req_event)",
            ring::REQ_EVENT as i64,
        ),
        (
            "offsetof(struct netif_tx_sring, rsp_prod)",
            ring::RSP_PROD as i64,
        ),
        (
            "offsetof(struct netif_tx_sring, rsp_event)",
            ring::RSP_EVENT as i64,
        ),
        ("XENSTORE_RING_SIZE", xs_wire::RING_SIZE as i64),
        ("XENSTORE_PAYLOAD_MAX", xs_wire::PAYLOAD_MAX as i64),
        ("XENSTORE_ABS_PATH_MAX", xs_wire::ABS_PATH_MAX as i64),
        ("XENSTORE_REL_PATH_MAX", xs_wire::REL_PATH_MAX as i64),
        (
            "sizeof(((struct xencons_interface *)0)->in)",
            console::IN_SIZE as i64,
        ),
        (
            "sizeof(((struct xencons_interface *)0)->out)",
            console::OUT_SIZE as i64,
        ),
    ]);
    claims.layout(
        "struct xsd_sockmsg",
        size_of::<XsdSockmsg>(),
        &[
            ("type", offset_of!(XsdSockmsg, kind)),
            ("req_id", offset_of!(XsdSockmsg, req_id)),
            ("tx_id", offset_of!(XsdSockmsg, tx_id)),
            ("len", offset_of!(XsdSockmsg, len)),
        ],
    );
    for (field, offset) in [
        ("req", xs_wire::REQ),
        ("rsp", xs_wire::RSP),
        ("req_cons", xs_wire::REQ_CONS),
        ("req_prod", xs_wire::REQ_PROD),
        ("rsp_cons", xs_wire::RSP_CONS),
        ("rsp_prod", xs_wire::RSP_PROD),
    ] {
        let expression = format!("offsetof(struct xenstore_domain_interface, {field})");
        claims.0.push((expression, at(offset) as i64));
    }
    for (field, offset) in [
        ("in", console::IN),
        ("out", console::OUT),
        ("in_cons", console::IN_CONS),
        ("in_prod", console::IN_PROD),
        ("out_cons", console::OUT_CONS),
        ("out_prod", console::OUT_PROD),
    ] {
        let expression = format!("offsetof(struct xencons_interface, {field})");
        claims.0.push((expression, at(offset) as i64));
    }
}

fn states(claims: &mut Claims) {
    use XenbusState::*;
    for state in [
        Unknown,
        Initialising,
        InitWait,
        Initialised,
        Connected,
        Closing,
        Closed,
        Reconfiguring,
        Reconfigured,
    ] {
        let expression = format!("XenbusState{state:?}");
        claims.0.push((expression, state as i64));
    }
    for (name, value) in [
        ("CONTROL", xs::CONTROL),
        ("DIRECTORY", xs::DIRECTORY),
        ("READ", xs::READ),
        ("GET_PERMS", xs::GET_PERMS),
        ("WATCH", xs::WATCH),
        ("UNWATCH", xs::UNWATCH),
        ("TRANSACTION_START", xs::TRANSACTION_START),
        ("TRANSACTION_END", xs::TRANSACTION_END),
        ("INTRODUCE", xs::INTRODUCE),
        ("RELEASE", xs::RELEASE),
        ("GET_DOMAIN_PATH", xs::GET_DOMAIN_PATH),
        ("WRITE", xs::WRITE),
        ("MKDIR", xs::MKDIR),
        ("RM", xs::RM),
        ("SET_PERMS", xs::SET_PERMS),
        ("WATCH_EVENT", xs::WATCH_EVENT),
        ("ERROR", xs::ERROR),
        ("IS_DOMAIN_INTRODUCED", xs::IS_DOMAIN_INTRODUCED),
        ("RESUME", xs::RESUME),
        ("SET_TARGET", xs::SET_TARGET),
        ("RESET_WATCHES", xs::RESET_WATCHES),
        ("DIRECTORY_PART", xs::DIRECTORY_PART),
    ] {
        claims.0.push((format!("XS_{name}"), value.into()));
    }
}
