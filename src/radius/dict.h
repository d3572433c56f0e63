/* Names of attributes, for configuration, records and variables. Pure. */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum rad_form { RAD_TEXT, RAD_NUMBER, RAD_TIME, RAD_ADDR4, RAD_ADDR6, RAD_BYTES };
struct rad_dict {
	const char *name; /* static, or NULL (Attr-...) */
	uint32_t vendor;
	uint8_t type;
	enum rad_form form;
};
/* By its name, or as FreeRADIUS writes those that have none: Attr-25, Attr-26.9.1 (text). ST_NOTFOUND. */
ANY int rad_dict_find(struct sv name, struct rad_dict *out);
ANY bool rad_dict_of(uint32_t vendor, uint8_t type, struct rad_dict *out);
/* A value as text: numbers in decimals, times as seconds, bytes in hex; control bytes of a text are blanks, and what
 * a Cisco attribute says twice ("h323-x=" in front) is left out. */
ANY void rad_value_text(const struct rad_dict *d, struct sv value, struct buf *out);
/* A text as a value. ST_PARSE: it is no such number or address. */
ANY int rad_value_make(const struct rad_dict *d, struct sv text, struct buf *out);
/* Appends the attribute; an empty text puts none. */
ANY int rad_dict_put(struct buf *attrs, const struct rad_dict *d, struct sv text);
