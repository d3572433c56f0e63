/* Private to the repair of XML: the text as it is read and written, character by character, with its places. */
#pragma once
#include "text/xml_i.h"

struct fixer {
	struct xml_repair *r;
	const char *p, *begin, *end;
	unsigned line, column, out_line, out_column; /* columns are 0-based */
	int shift;                                   /* of the last one noted, in its line */
	unsigned shift_line;
	unsigned depth;
	bool has_root;
	int status;
};

/* Something was taken that is no XML; column is 0-based. */
ANY void xml_fix_note(struct fixer *f, unsigned line, unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* It cannot be understood: the first such place is the error. */
ANY void xml_fix_fail(struct fixer *f, unsigned line, unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
ANY bool xml_fix_is_space(char c);
ANY void xml_fix_advance(char c, unsigned *line, unsigned *column); /* over c */
ANY void xml_fix_shift(struct fixer *f);                            /* notes where what comes next stood */
ANY void xml_fix_put(struct fixer *f, const char *text);            /* writes what was not there */
ANY void xml_fix_skip(struct fixer *f);                             /* leaves a byte out */
ANY void xml_fix_take(struct fixer *f);                             /* copies one character */
ANY void xml_fix_take_until(struct fixer *f, const char *end);
ANY bool xml_fix_starts(const struct fixer *f, const char *what);
ANY const char *xml_fix_find(const struct fixer *f, size_t from, const char *what); /* from p + from on; NULL */
