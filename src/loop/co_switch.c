/* The switch between two stacks: saves what the calling convention says a callee keeps, changes the stack pointer,
 * restores. x86-64 System V and aarch64 AAPCS64; elsewhere, or with CO_UCONTEXT, co.c uses ucontext. Floating-point
 * control words are not saved: nobody in this program changes them. */
#include "loop/co_i.h"

#if CO_OWN_SWITCH && defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl co_switch_asm\n"
        ".hidden co_switch_asm\n"
        ".type co_switch_asm, @function\n"
        "co_switch_asm:\n"
        "	pushq %rbp\n"
        "	pushq %rbx\n"
        "	pushq %r12\n"
        "	pushq %r13\n"
        "	pushq %r14\n"
        "	pushq %r15\n"
        "	movq %rsp, (%rdi)\n"
        "	movq %rsi, %rsp\n"
        "	popq %r15\n"
        "	popq %r14\n"
        "	popq %r13\n"
        "	popq %r12\n"
        "	popq %rbx\n"
        "	popq %rbp\n"
        "	ret\n"
        ".size co_switch_asm, . - co_switch_asm\n");

void *co_stack_prepare(void *top, void (*entry)(void))
{
	/* Six registers, the address ret takes, and a zero where the entry's own return address would be. */
	void **sp = (void **)top - 8;
	for (int i = 0; i < 8; i++)
		sp[i] = NULL;
	sp[6] = (void *)entry;
	return sp;
}
#elif CO_OWN_SWITCH && defined(__aarch64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl co_switch_asm\n"
        ".hidden co_switch_asm\n"
        ".type co_switch_asm, %function\n"
        "co_switch_asm:\n"
        "	sub sp, sp, #160\n"
        "	stp x19, x20, [sp, #0]\n"
        "	stp x21, x22, [sp, #16]\n"
        "	stp x23, x24, [sp, #32]\n"
        "	stp x25, x26, [sp, #48]\n"
        "	stp x27, x28, [sp, #64]\n"
        "	stp x29, x30, [sp, #80]\n"
        "	stp d8, d9, [sp, #96]\n"
        "	stp d10, d11, [sp, #112]\n"
        "	stp d12, d13, [sp, #128]\n"
        "	stp d14, d15, [sp, #144]\n"
        "	mov x9, sp\n"
        "	str x9, [x0]\n"
        "	mov sp, x1\n"
        "	ldp x19, x20, [sp, #0]\n"
        "	ldp x21, x22, [sp, #16]\n"
        "	ldp x23, x24, [sp, #32]\n"
        "	ldp x25, x26, [sp, #48]\n"
        "	ldp x27, x28, [sp, #64]\n"
        "	ldp x29, x30, [sp, #80]\n"
        "	ldp d8, d9, [sp, #96]\n"
        "	ldp d10, d11, [sp, #112]\n"
        "	ldp d12, d13, [sp, #128]\n"
        "	ldp d14, d15, [sp, #144]\n"
        "	add sp, sp, #160\n"
        "	ret\n"
        ".size co_switch_asm, . - co_switch_asm\n");

void *co_stack_prepare(void *top, void (*entry)(void))
{
	void **sp = (void **)top - 20;
	for (int i = 0; i < 20; i++)
		sp[i] = NULL;
	sp[11] = (void *)entry; /* x30 */
	return sp;
}
#endif
