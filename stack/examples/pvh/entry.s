// What Xen enters: 32-bit protected mode, no paging, EBX at the hvm_start_info (xen/include/public/arch-x86/hvm/start_info.h).
// From there to 64-bit code with the first 4 GiB mapped one to one, and on into Rust. AT&T syntax.

    // XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h): this makes the ELF a PVH kernel.
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long _start

    .section .text.entry, "ax"
    .code32
    .globl _start
_start:
    cld
    cli
    movl $boot_stack_top, %esp
    movl %ebx, %esi                     // nothing below touches ESI

    // One top-level entry, four directory pointers, four directories of 512 pages of 2 MiB: present and writable.
    movl $page_pointers + 3, page_top
    xorl %ecx, %ecx
    movl $page_directories + 3, %eax
.Lpointer:
    movl %eax, page_pointers(, %ecx, 8)
    addl $4096, %eax
    incl %ecx
    cmpl $4, %ecx
    jb .Lpointer
    xorl %ecx, %ecx
    movl $0x83, %eax                    // and large
.Lpage:
    movl %eax, page_directories(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $2048, %ecx
    jb .Lpage

    // Long mode (Intel SDM 3A, 10.8.5): CR4.PAE, CR3, EFER.LME, CR0.PG.
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $page_top, %eax
    movl %eax, %cr3
    movl $0xC0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    lgdt segments_at
    pushl $8
    pushl $.Llong
    lretl

    .code64
.Llong:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $boot_stack_top, %esp
    movl %esi, %edi
    call kernel_main
    ud2

    // An event: Xen injects this vector for as long as evtchn_upcall_pending is set and interrupts are enabled. The
    // kernel looks at the flag itself, so all there is to do is to return with interrupts disabled.
    .globl upcall
upcall:
    andq $~0x200, 16(%rsp)
    iretq

    // An exception: there is nothing to return to.
    .globl fault
fault:
    andq $-16, %rsp
    call kernel_fault
    ud2

    .section .rodata.entry, "a"
    .balign 8
    // Null, 64-bit code, data.
segments:
    .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
segments_at:
    .word segments_at - segments - 1
    .long segments

    .section .bss.entry, "aw", @nobits
    .balign 4096
page_top:
    .skip 4096
page_pointers:
    .skip 4096
page_directories:
    .skip 4 * 4096
boot_stack:
    .skip 256 * 1024
boot_stack_top:

    .text
