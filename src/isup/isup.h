/* ISUP messages (ITU-T Q.763) as SIP-I carries them in a body of application/isup: from the message type on, without
 * routing label and circuit. Of the messages that set a call up and end it what matters to a switch between SIP sides
 * is read into a struct; every other optional parameter is kept as it stands, so that a message can be changed and
 * written again. Pure; nothing is allocated; views are valid as long as the bytes that were read. */
#pragma once
#include "base/role.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum isup_type { /* table 4 */
	ISUP_NONE,
	ISUP_IAM = 0x01, /* initial address */
	ISUP_ACM = 0x06, /* address complete */
	ISUP_CON = 0x07, /* connect: answered without an ACM before */
	ISUP_ANM = 0x09, /* answer */
	ISUP_REL = 0x0c, /* release */
	ISUP_RLC = 0x10, /* release complete */
	ISUP_CPG = 0x2c  /* call progress */
};
ANY const char *isup_type_name(uint8_t type); /* "IAM"; "" for one that is not read */

enum { ISUP_DIGITS_MAX = 32, ISUP_OTHERS_MAX = 24, ISUP_BYTES_MAX = 1024 };
enum isup_nature { ISUP_NATURE_SUBSCRIBER = 1, ISUP_NATURE_NATIONAL = 3, ISUP_NATURE_INTERNATIONAL = 4 };
enum isup_category { ISUP_CATEGORY_ORDINARY = 0x0a, ISUP_CATEGORY_PRIORITY = 0x0b, ISUP_CATEGORY_PAYPHONE = 0x0f };

/* 3.9, 3.10, 3.39, 3.44. Digits: 0-9, a-e for codes 10 to 14; "f" (end of pulsing) is left out. */
struct isup_number {
	bool is_set;
	char digits[ISUP_DIGITS_MAX + 1];
	uint8_t nature, plan;
	uint8_t flag;         /* called: internal network; calling: number incomplete */
	uint8_t presentation; /* 0 allowed, 1 restricted, 2 not available */
	uint8_t screening;    /* calling: 1 user's, verified and passed; 3 network's */
};
struct isup_other {
	uint8_t code, bytes;
	const uint8_t *p;
};
struct isup_msg {
	uint8_t type;
	/* IAM */
	uint8_t connection, category, medium; /* nature of connection, calling party's category, transmission medium */
	uint16_t forward;                     /* forward call indicators, first octet high */
	struct isup_number called, calling, redirecting, original_called;
	bool has_redirection;
	uint8_t redirection[2]; /* 3.45: read by isup_redirect_reason */
	uint8_t redirection_bytes;
	/* ACM, CON, and CPG, ANM where they have it */
	bool has_backward;
	uint16_t backward; /* backward call indicators, first octet high */
	uint8_t event;     /* CPG: 1 alerting, 2 progress, 3 in-band information */
	/* REL; others' cause indicators */
	bool has_cause;
	uint8_t cause, location, coding;
	uint8_t diagnostic_bytes;
	const uint8_t *diagnostic;
	struct isup_other others[ISUP_OTHERS_MAX];
	uint8_t other_count;
};
/* ST_UNSUPPORTED: a type that is none of those above. ST_PARSE: lengths or pointers that do not fit, a mandatory part
 * that is missing, a number of over 32 digits, a parameter that may come once twice. */
ANY int isup_parse(struct isup_msg *out, const uint8_t *p, size_t n);
/* ST_FULL: more than size. ST_INVAL: digits that are none. What was parsed and not changed gives a message that means
 * the same; pointers are in the order of the parameters. */
ANY int isup_write(const struct isup_msg *m, uint8_t *out, size_t size, size_t *n);

/* 3.45: 1 user busy, 2 no reply, 3 unconditional, 4 and 5 deflection, 6 not reachable; 0 unknown. */
ANY uint8_t isup_redirect_reason(const struct isup_msg *m);
ANY void isup_redirect_set(struct isup_msg *m, uint8_t reason, uint8_t count);
/* A number as SIP has it: "+" in front of an international one. */
ANY void isup_number_text(const struct isup_number *n, char out[ISUP_DIGITS_MAX + 2]);
/* And back: false when text (digits, one + in front) is none or too long. Without + it is national. */
ANY bool isup_number_of(struct isup_number *out, const char *text);
