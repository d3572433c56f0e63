/* Reading and writing ISUP. A message is its type, a fixed part, variable parts found by pointers (each the distance
 * from itself), and optional parameters in a row: code, length, content, ended by a zero (Q.763 1.5 to 1.8). One cursor
 * with its end reads, one writes; neither trusts a length. Which parts a type has is one table. */
#include "isup/isup.h"
#include "base/check.h"

#include <string.h>

enum {
	P_END,
	P_CALLED = 0x04,
	P_CALLING = 0x0a,
	P_REDIRECTING = 0x0b,
	P_BACKWARD = 0x11,
	P_CAUSE = 0x12,
	P_REDIRECTION = 0x13,
	P_ORIGINAL = 0x28
};

static const struct form {
	uint8_t type;
	const char *name;
	uint8_t fixed;    /* bytes of the fixed part */
	uint8_t variable; /* the one mandatory variable parameter, or 0 */
} forms[] = {{ISUP_IAM, "IAM", 5, P_CALLED}, {ISUP_ACM, "ACM", 2, 0}, {ISUP_CON, "CON", 2, 0}, {ISUP_ANM, "ANM", 0, 0},
    {ISUP_REL, "REL", 0, P_CAUSE}, {ISUP_RLC, "RLC", 0, 0}, {ISUP_CPG, "CPG", 1, 0}};

static const struct form *form_of(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_COUNT(forms); i++)
		if (forms[i].type == type)
			return &forms[i];
	return NULL;
}

const char *isup_type_name(uint8_t type)
{
	const struct form *f = form_of(type);
	return f ? f->name : "";
}

/* ---- reading ---- */

static const char digit_chars[] = "0123456789abcdef";

/* has_second: octet 2 is there in all of them; which of its fields count depends on whose number it is. */
static int number_read(struct isup_number *out, const uint8_t *p, size_t n)
{
	struct isup_number num = {.is_set = true};
	size_t count = 0;
	if (n < 2 || out->is_set)
		return ST_PARSE;
	bool is_odd = p[0] & 0x80;
	num.nature = p[0] & 0x7f;
	num.flag = p[1] >> 7;
	num.plan = p[1] >> 4 & 7;
	num.presentation = p[1] >> 2 & 3;
	num.screening = p[1] & 3;
	for (size_t i = 2; i < n; i++)
		for (unsigned half = 0; half < 2; half++) {
			uint8_t digit = half ? p[i] >> 4 : p[i] & 15;
			if ((half && i == n - 1 && is_odd) || digit == 15)
				continue;
			if (count == ISUP_DIGITS_MAX)
				return ST_PARSE;
			num.digits[count++] = digit_chars[digit];
		}
	*out = num;
	return ST_OK;
}

static int cause_read(struct isup_msg *m, const uint8_t *p, size_t n)
{
	size_t at = 1;
	if (n < 2 || m->has_cause)
		return ST_PARSE;
	m->location = p[0] & 15;
	m->coding = p[0] >> 5 & 3;
	if (!(p[0] & 0x80) && ++at >= n) /* octet 1a: recommendation */
		return ST_PARSE;
	m->cause = p[at++] & 0x7f;
	m->diagnostic = p + at;
	m->diagnostic_bytes = (uint8_t)(n - at);
	m->has_cause = true;
	return ST_OK;
}

static int redirection_read(struct isup_msg *m, const uint8_t *p, size_t n)
{
	if (!n || m->has_redirection)
		return ST_PARSE;
	m->has_redirection = true;
	m->redirection_bytes = n > 1 ? 2 : 1;
	memcpy(m->redirection, p, m->redirection_bytes);
	return ST_OK;
}

static int param_read(struct isup_msg *m, uint8_t code, const uint8_t *p, size_t n)
{
	switch (code) {
	case P_CALLED:
		return number_read(&m->called, p, n);
	case P_CALLING:
		return number_read(&m->calling, p, n);
	case P_REDIRECTING:
		return number_read(&m->redirecting, p, n);
	case P_ORIGINAL:
		return number_read(&m->original_called, p, n);
	case P_CAUSE:
		return cause_read(m, p, n);
	case P_REDIRECTION:
		return redirection_read(m, p, n);
	case P_BACKWARD:
		if (n < 2 || m->has_backward)
			return ST_PARSE;
		m->has_backward = true;
		m->backward = (uint16_t)(p[0] << 8 | p[1]);
		return ST_OK;
	default:
		if (m->other_count == ISUP_OTHERS_MAX)
			return ST_PARSE;
		m->others[m->other_count++] = (struct isup_other){code, (uint8_t)n, p};
		return ST_OK;
	}
}

static void fixed_read(struct isup_msg *m, const uint8_t *p)
{
	switch (m->type) {
	case ISUP_IAM:
		m->connection = p[0];
		m->forward = (uint16_t)(p[1] << 8 | p[2]);
		m->category = p[3];
		m->medium = p[4];
		break;
	case ISUP_ACM:
	case ISUP_CON:
		m->has_backward = true;
		m->backward = (uint16_t)(p[0] << 8 | p[1]);
		break;
	case ISUP_CPG:
		m->event = p[0] & 0x7f;
		break;
	default:
		break;
	}
}

/* What the pointer at p[at] leads to: *start of a length octet, whose content fits. */
static bool pointed(const uint8_t *p, size_t n, size_t at, size_t *start)
{
	if (at >= n || !p[at])
		return false;
	*start = at + p[at];
	return *start < n && *start + 1 + p[*start] <= n;
}

static int optional_read(struct isup_msg *m, const uint8_t *p, size_t n, size_t at)
{
	int st = ST_OK;
	if (at >= n || !p[at]) /* no pointer, or none to follow (1.6) */
		return ST_OK;
	for (at += p[at]; st == ST_OK;) {
		if (at >= n)
			return ST_PARSE;
		if (p[at] == P_END)
			return ST_OK;
		if (at + 2 > n || at + 2 + p[at + 1] > n)
			return ST_PARSE;
		st = param_read(m, p[at], p + at + 2, p[at + 1]);
		at += 2u + p[at + 1];
	}
	return st;
}

int isup_parse(struct isup_msg *out, const uint8_t *p, size_t n)
{
	struct isup_msg m = {.type = n ? p[0] : 0};
	const struct form *f = form_of(m.type);
	size_t at = 1, start;
	int st;
	if (!f)
		return n ? ST_UNSUPPORTED : ST_PARSE;
	if (n > ISUP_BYTES_MAX || n < 1u + f->fixed)
		return ST_PARSE;
	fixed_read(&m, p + at);
	at += f->fixed;
	if (f->variable) {
		if (!pointed(p, n, at, &start))
			return ST_PARSE;
		if ((st = param_read(&m, f->variable, p + start + 1, p[start])) < 0)
			return st;
		at++;
	}
	if ((st = optional_read(&m, p, n, at)) < 0)
		return st;
	*out = m;
	return ST_OK;
}

/* ---- writing ---- */

struct writer {
	uint8_t *p;
	size_t size, n;
	int status;
};

static void put(struct writer *w, uint8_t byte)
{
	if (w->n < w->size)
		w->p[w->n++] = byte;
	else
		w->status = ST_FULL;
}

/* Length octet of what follows; param_end fills it. */
static size_t param_begin(struct writer *w)
{
	put(w, 0);
	return w->n;
}

static void param_end(struct writer *w, size_t begin)
{
	if (w->status == ST_OK && w->n - begin <= 255)
		w->p[begin - 1] = (uint8_t)(w->n - begin);
	else if (w->status == ST_OK)
		w->status = ST_FULL;
}

static void number_put(struct writer *w, const struct isup_number *n, uint8_t second)
{
	size_t begin = param_begin(w), count = strlen(n->digits);
	put(w, (uint8_t)((count & 1 ? 0x80 : 0) | (n->nature & 0x7f)));
	put(w, second);
	for (size_t i = 0; i < count; i += 2) {
		const char *low = memchr(digit_chars, n->digits[i], 15),
		           *high = i + 1 < count ? memchr(digit_chars, n->digits[i + 1], 15) : digit_chars;
		if (!low || !high)
			w->status = ST_INVAL;
		else
			put(w, (uint8_t)((high - digit_chars) << 4 | (low - digit_chars)));
	}
	param_end(w, begin);
}

static void called_put(struct writer *w, const struct isup_number *n)
{
	number_put(w, n, (uint8_t)(n->flag << 7 | (n->plan & 7) << 4));
}

static void other_number_put(struct writer *w, uint8_t code, const struct isup_number *n, bool is_calling)
{
	if (!n->is_set)
		return;
	put(w, code);
	number_put(w, n,
	    (uint8_t)((n->plan & 7) << 4 | (n->presentation & 3) << 2 |
	              (is_calling ? n->flag << 7 | (n->screening & 3) : 0)));
}

static void cause_put(struct writer *w, const struct isup_msg *m)
{
	size_t begin = param_begin(w);
	put(w, (uint8_t)(0x80 | (m->coding & 3) << 5 | (m->location & 15)));
	put(w, (uint8_t)(0x80 | (m->cause & 0x7f)));
	for (size_t i = 0; i < m->diagnostic_bytes; i++)
		put(w, m->diagnostic[i]);
	param_end(w, begin);
}

static void bytes_put(struct writer *w, uint8_t code, const uint8_t *p, size_t n)
{
	put(w, code);
	put(w, (uint8_t)n);
	for (size_t i = 0; i < n; i++)
		put(w, p[i]);
}

static void fixed_put(struct writer *w, const struct isup_msg *m)
{
	switch (m->type) {
	case ISUP_IAM:
		put(w, m->connection);
		put(w, (uint8_t)(m->forward >> 8));
		put(w, (uint8_t)m->forward);
		put(w, m->category);
		put(w, m->medium);
		break;
	case ISUP_ACM:
	case ISUP_CON:
		put(w, (uint8_t)(m->backward >> 8));
		put(w, (uint8_t)m->backward);
		break;
	case ISUP_CPG:
		put(w, m->event & 0x7f);
		break;
	default:
		break;
	}
}

static void optional_put(struct writer *w, const struct isup_msg *m, const struct form *f)
{
	uint8_t backward[2] = {(uint8_t)(m->backward >> 8), (uint8_t)m->backward};
	if (f->variable != P_CALLED)
		if (m->called.is_set) {
			put(w, P_CALLED);
			called_put(w, &m->called);
		}
	other_number_put(w, P_CALLING, &m->calling, true);
	other_number_put(w, P_REDIRECTING, &m->redirecting, false);
	other_number_put(w, P_ORIGINAL, &m->original_called, false);
	if (m->has_redirection)
		bytes_put(w, P_REDIRECTION, m->redirection, m->redirection_bytes);
	if (m->has_backward && m->type != ISUP_ACM && m->type != ISUP_CON)
		bytes_put(w, P_BACKWARD, backward, 2);
	if (m->has_cause && f->variable != P_CAUSE) {
		put(w, P_CAUSE);
		cause_put(w, m);
	}
	for (size_t i = 0; i < m->other_count; i++)
		bytes_put(w, m->others[i].code, m->others[i].p, m->others[i].bytes);
}

int isup_write(const struct isup_msg *m, uint8_t *out, size_t size, size_t *n)
{
	struct writer w = {.p = out, .size = size < ISUP_BYTES_MAX ? size : ISUP_BYTES_MAX};
	const struct form *f = form_of(m->type);
	if (!f || (f->variable == P_CALLED && !m->called.is_set) || (f->variable == P_CAUSE && !m->has_cause))
		return ST_INVAL;
	put(&w, m->type);
	fixed_put(&w, m);
	if (f->variable)
		put(&w, 2); /* over the pointer behind it */
	size_t pointer = w.n;
	put(&w, 0);
	if (f->variable == P_CALLED)
		called_put(&w, &m->called);
	else if (f->variable == P_CAUSE)
		cause_put(&w, m);
	size_t begin = w.n;
	optional_put(&w, m, f);
	if (w.n > begin) {
		put(&w, P_END);
		if (w.status == ST_OK && begin - pointer <= 255)
			out[pointer] = (uint8_t)(begin - pointer);
		else if (w.status == ST_OK)
			w.status = ST_FULL;
	}
	if (w.status == ST_OK)
		*n = w.n;
	return w.status;
}

/* ---- what they mean ---- */

uint8_t isup_redirect_reason(const struct isup_msg *m)
{
	if (!m->has_redirection)
		return 0;
	return m->redirection_bytes > 1 ? m->redirection[1] >> 4 : m->redirection[0] >> 4;
}

void isup_redirect_set(struct isup_msg *m, uint8_t reason, uint8_t count)
{
	m->has_redirection = true;
	m->redirection_bytes = 2;
	m->redirection[0] = (uint8_t)((reason & 15) << 4 | 3); /* original reason; call diverted */
	m->redirection[1] = (uint8_t)((reason & 15) << 4 | (count & 7));
}

void isup_number_text(const struct isup_number *n, char out[ISUP_DIGITS_MAX + 2])
{
	size_t at = 0;
	if (n->nature == ISUP_NATURE_INTERNATIONAL)
		out[at++] = '+';
	memcpy(out + at, n->digits, strlen(n->digits) + 1);
}

bool isup_number_of(struct isup_number *out, const char *text)
{
	bool is_international = *text == '+';
	size_t n = strspn(text + is_international, "0123456789");
	if (!n || n > ISUP_DIGITS_MAX || text[is_international + n])
		return false;
	*out = (struct isup_number){
	    .is_set = true, .nature = is_international ? ISUP_NATURE_INTERNATIONAL : ISUP_NATURE_NATIONAL, .plan = 1};
	memcpy(out->digits, text + is_international, n + 1);
	return true;
}
