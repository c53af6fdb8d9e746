// SPDX-License-Identifier: Apache-2.0
// AAPCS64: x19 to x30 and the low halves of v8 to v15 are the callee's. Frame, from the saved
// stack pointer up: x19 to x30, d8 to d15; 160 bytes.
    .text

    .globl switch_stack
    .hidden switch_stack
    .type switch_stack, %function
    .p2align 4
switch_stack:
    .cfi_startproc
    hint #34 // bti c
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .cfi_endproc
    .size switch_stack, . - switch_stack

    .globl switch_prepare
    .hidden switch_prepare
    .type switch_prepare, %function
    .p2align 4
switch_prepare:
    .cfi_startproc
    hint #34 // bti c
    sub x0, x0, #160
    stp x1, x2, [x0]
    adr x9, first_entry
    stp xzr, x9, [x0, #80]
    ret
    .cfi_endproc
    .size switch_prepare, . - switch_prepare

    .type first_entry, %function
    .p2align 4
first_entry:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size first_entry, . - first_entry

    .section .note.GNU-stack, "", %progbits
