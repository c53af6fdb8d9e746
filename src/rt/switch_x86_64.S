// SPDX-License-Identifier: Apache-2.0
// System V ABI: rbx, rbp, r12 to r15, the x87 control word and MXCSR's control bits are the
// callee's. Frame, from the saved stack pointer up: MXCSR and control word, r15, r14, r13, r12,
// rbx, rbp, return address.
// This file carries no .note.gnu.property: a process that contains it runs without shadow stacks,
// which know nothing of fibers.
    .text

    .globl switch_stack
    .hidden switch_stack
    .type switch_stack, @function
    .p2align 4
switch_stack:
    .cfi_startproc
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    // Not ret, which the processor would predict by the calls of the stack that was left.
    popq %rcx
    notrack jmpq *%rcx
    .cfi_endproc
    .size switch_stack, . - switch_stack

    .globl switch_prepare
    .hidden switch_prepare
    .type switch_prepare, @function
    .p2align 4
switch_prepare:
    .cfi_startproc
    endbr64
    leaq -64(%rdi), %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movq %rdx, 32(%rax)
    movq %rsi, 40(%rax)
    movq $0, 48(%rax)
    leaq first_entry(%rip), %rcx
    movq %rcx, 56(%rax)
    ret
    .cfi_endproc
    .size switch_prepare, . - switch_prepare

    .type first_entry, @function
    .p2align 4
first_entry:
    .cfi_startproc
    .cfi_undefined rip
    movq %r12, %rdi
    callq *%rbx
    ud2
    .cfi_endproc
    .size first_entry, . - first_entry

    .section .note.GNU-stack, "", @progbits
