/* The stack switch, between co.c and co_switch.c. */
#pragma once
#include <stddef.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(CO_UCONTEXT)
#define CO_OWN_SWITCH 1
#else
#define CO_OWN_SWITCH 0
#endif

#if CO_OWN_SWITCH
/* Saves the running context on its stack and its stack pointer in *save; continues at the context saved in to. */
void co_switch_asm(void **save, void *to);
/* Lays out a new stack so that the first switch to the returned pointer enters entry. top is 16-byte aligned. */
void *co_stack_prepare(void *top, void (*entry)(void));
#endif
