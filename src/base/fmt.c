/* printf's language, read once from left to right: text is copied as it stands, each conversion is read into a struct
 * spec, its argument rendered to a small room on the stack, padded and copied. What does not fit is counted, not kept.
 *
 * The first conversion that is not known here gives up, and the C library does the whole text from the beginning: so
 * nothing depends on which formats this file knows, only the time that it takes. */
#include "base/fmt.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct sink {
	char *p, *end; /* where the next byte goes; the last place is the zero byte's */
	size_t n;      /* bytes wanted so far */
};

enum size { SIZE_INT, SIZE_CHAR, SIZE_SHORT, SIZE_LONG, SIZE_LONG_LONG };
struct spec {
	bool is_left, is_zeroed;
	int width, precision; /* precision -1: none */
	enum size size;
};
struct args {
	va_list ap; /* in a struct, so that a callee may move it on */
};
enum { NUMBER_MAX = 32, DECIMALS_MAX = 6 };

static inline void put(struct sink *s, const char *p, size_t n)
{
	size_t room = (size_t)(s->end - s->p), count = n < room ? n : room;

	s->n += n;
	if (count)
		memcpy(s->p, p, count);
	s->p += count;
}

static inline void put_byte(struct sink *s, char c)
{
	s->n++;
	if (s->p < s->end)
		*s->p++ = c;
}

static void put_fill(struct sink *s, char c, size_t n)
{
	while (n--)
		put_byte(s, c);
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                            "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

/* Writes a number's digits backwards from end and returns where they begin. */
static char *digits_before(char *end, unsigned long long v)
{
	for (; v >= 100; v /= 100)
		memcpy(end -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(end -= 2, pairs + v * 2, 2);
	else
		*--end = (char)('0' + v);
	return end;
}

size_t fmt_u64(char *out, unsigned long long v)
{
	char room[NUMBER_MAX], *end = room + sizeof(room), *at = digits_before(end, v);
	size_t n = (size_t)(end - at);

	memcpy(out, at, n);
	return n;
}

/* A rendered piece: padded to the width, with zeros behind the sign when they are asked for. */
static void put_padded(struct sink *s, const struct spec *spec, const char *p, size_t n, bool may_be_zeroed)
{
	size_t fill = spec->width > 0 && (size_t)spec->width > n ? (size_t)spec->width - n : 0;

	if (!fill) {
		put(s, p, n);
	} else if (spec->is_left) {
		put(s, p, n);
		put_fill(s, ' ', fill);
	} else if (spec->is_zeroed && may_be_zeroed) {
		if (*p == '-') {
			put_byte(s, '-');
			p++, n--;
		}
		put_fill(s, '0', fill);
		put(s, p, n);
	} else {
		put_fill(s, ' ', fill);
		put(s, p, n);
	}
}

static void put_number(struct sink *s, const struct spec *spec, unsigned long long v, bool is_negative)
{
	char room[NUMBER_MAX], *end = room + sizeof(room), *at = digits_before(end, v);

	if (is_negative)
		*--at = '-';
	put_padded(s, spec, at, (size_t)(end - at), true);
}

static void put_hex(struct sink *s, const struct spec *spec, unsigned long long v, bool is_upper)
{
	const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char room[NUMBER_MAX], *end = room + sizeof(room), *at = end;

	do
		*--at = digits[v & 15];
	while (v >>= 4);
	put_padded(s, spec, at, (size_t)(end - at), true);
}

static void put_text(struct sink *s, const struct spec *spec, const char *p)
{
	size_t n;

	if (!p)
		p = spec->precision >= 0 && spec->precision < 6 ? "" : "(null)";
	n = spec->precision < 0 ? strlen(p) : strnlen(p, (size_t)spec->precision);
	put_padded(s, spec, p, n, false);
}

/* The double is mantissa * 2^exponent exactly, so times 10^decimals it is rounded exactly: half to even, as the C
 * library does. false: too large, or not a number. */
static bool put_double(struct sink *s, const struct spec *spec, double v)
{
	static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
	int decimals = spec->precision < 0 ? DECIMALS_MAX : spec->precision, shift;
	char room[2 * NUMBER_MAX], *end = room + sizeof(room), *at;
	unsigned __int128 scaled, whole, rest, half;
	uint64_t bits, fraction;

	if (decimals > DECIMALS_MAX)
		return false;
	memcpy(&bits, &v, sizeof(bits));
	shift = 1075 - (int)(bits >> 52 & 0x7ff);
	if (shift <= 0) /* 2^52 and more, infinities, no number */
		return false;
	fraction = (bits & ((UINT64_C(1) << 52) - 1)) | (shift < 1075 ? UINT64_C(1) << 52 : 0);
	scaled = (unsigned __int128)fraction * powers[decimals];
	if (shift > 120) {
		whole = 0; /* under 2^-40 times a million: far below a half */
	} else {
		whole = scaled >> shift;
		rest = scaled - (whole << shift), half = (unsigned __int128)1 << (shift - 1);
		whole += rest > half || (rest == half && (whole & 1));
	}
	at = digits_before(end, (unsigned long long)(whole % powers[decimals]));
	while (end - at < decimals)
		*--at = '0';
	if (!decimals)
		at = end;
	else
		*--at = '.';
	at = digits_before(at, (unsigned long long)(whole / powers[decimals]));
	if (bits >> 63)
		*--at = '-';
	put_padded(s, spec, at, (size_t)(end - at), true);
	return true;
}

/* A width or precision in digits; -1: too large to be meant. */
static int read_count(const char **fmt)
{
	int n = 0;

	for (; **fmt >= '0' && **fmt <= '9'; ++*fmt)
		if ((n = n * 10 + (**fmt - '0')) > 4096)
			return -1;
	return n;
}

static long long arg_signed(struct args *a, enum size size)
{
	switch (size) {
	case SIZE_CHAR:
		return (signed char)va_arg(a->ap, int);
	case SIZE_SHORT:
		return (short)va_arg(a->ap, int);
	case SIZE_INT:
		return va_arg(a->ap, int);
	case SIZE_LONG:
		return va_arg(a->ap, long);
	default:
		return va_arg(a->ap, long long);
	}
}

static unsigned long long arg_unsigned(struct args *a, enum size size)
{
	switch (size) {
	case SIZE_CHAR:
		return (unsigned char)va_arg(a->ap, unsigned);
	case SIZE_SHORT:
		return (unsigned short)va_arg(a->ap, unsigned);
	case SIZE_INT:
		return va_arg(a->ap, unsigned);
	case SIZE_LONG:
		return va_arg(a->ap, unsigned long);
	default:
		return va_arg(a->ap, unsigned long long);
	}
}

static enum size read_size(const char **fmt)
{
	char c = **fmt;

	if (c == 'l') {
		if (*++*fmt != 'l')
			return SIZE_LONG;
		++*fmt;
		return SIZE_LONG_LONG;
	}
	if (c == 'z' || c == 't' || c == 'j') {
		++*fmt;
		return SIZE_LONG;
	}
	if (c == 'h') {
		if (*++*fmt != 'h')
			return SIZE_SHORT;
		++*fmt;
		return SIZE_CHAR;
	}
	return SIZE_INT;
}
_Static_assert(sizeof(size_t) == sizeof(long) && sizeof(intmax_t) == sizeof(long), "z, t and j are long");

/* What stands between the % and the conversion; takes the arguments of its stars. false: not known here. */
static bool read_spec(const char **fmt, struct args *a, struct spec *spec)
{
	for (; **fmt == '0' || **fmt == '-'; ++*fmt) {
		spec->is_zeroed |= **fmt == '0';
		spec->is_left |= **fmt == '-';
	}
	if (**fmt == '*') {
		++*fmt;
		spec->width = va_arg(a->ap, int);
	} else {
		spec->width = read_count(fmt);
	}
	if (spec->width < 0) /* from an argument: rare, and left to the library */
		return false;
	if (**fmt == '.') {
		if (*++*fmt == '*') {
			++*fmt;
			spec->precision = va_arg(a->ap, int);
			if (spec->precision < 0)
				spec->precision = -1;
		} else {
			spec->precision = read_count(fmt);
			if (spec->precision < 0)
				return false;
		}
	}
	spec->size = read_size(fmt);
	return true;
}

static bool put_conversion(struct sink *s, const struct spec *spec, char what, struct args *a)
{
	long long i;

	if (what == 's' || what == 'c' || what == 'f') {
		if (spec->size != SIZE_INT)
			return false;
	} else if (spec->precision >= 0) {
		return false;
	}
	switch (what) {
	case 'd':
	case 'i':
		i = arg_signed(a, spec->size);
		put_number(s, spec, i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i, i < 0);
		return true;
	case 'u':
		put_number(s, spec, arg_unsigned(a, spec->size), false);
		return true;
	case 'x':
	case 'X':
		put_hex(s, spec, arg_unsigned(a, spec->size), what == 'X');
		return true;
	case 's':
		put_text(s, spec, va_arg(a->ap, const char *));
		return true;
	case 'c':
		put_padded(s, spec, (char[]){(char)va_arg(a->ap, int)}, 1, false);
		return true;
	case 'f':
		return put_double(s, spec, va_arg(a->ap, double));
	default:
		return false;
	}
}

/* false: the format has something that is not known here. */
static bool print(struct sink *s, const char *fmt, struct args *a)
{
	for (; *fmt; fmt++) {
		struct spec spec = {.precision = -1};

		if (*fmt != '%') {
			const char *end = strchrnul(fmt, '%');
			put(s, fmt, (size_t)(end - fmt));
			fmt = end - 1;
			continue;
		}
		fmt++;
		if (*fmt == '%') {
			put_byte(s, '%');
		} else if (*fmt == 's') { /* as most are */
			put_text(s, &spec, va_arg(a->ap, const char *));
		} else if (!read_spec(&fmt, a, &spec) || !put_conversion(s, &spec, *fmt, a)) {
			return false;
		}
	}
	return true;
}

int fmt_vprint(char *out, size_t cap, const char *fmt, va_list ap)
{
	struct sink s = {.p = out, .end = cap ? out + cap - 1 : out};
	struct args a;
	bool is_done;

	va_copy(a.ap, ap);
	is_done = print(&s, fmt, &a) && s.n <= INT_MAX;
	va_end(a.ap);
	if (!is_done)
		return vsnprintf(out, cap, fmt, ap);
	if (cap)
		*s.p = 0;
	return (int)s.n;
}

int fmt_print(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = fmt_vprint(out, cap, fmt, ap);
	va_end(ap);
	return n;
}
