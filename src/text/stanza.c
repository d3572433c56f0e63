/* The reader of stanzas: finds the empty line that ends a block, cuts the block into a command line and headers in
 * place, then waits for the body. Bytes behind the stanza stay buffered for the next one, so a sender may send ahead;
 * how much is read ahead is the connection's business. No byte is searched twice, and what was taken is moved out of
 * the way once half of the buffer is: a thousand small stanzas cost what their bytes cost. Does not decode values and
 * does not know commands. */
#include "text/stanza.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

const char *stanza_get(const struct stanza *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (!strcasecmp(r->headers[i].name, name))
			return r->headers[i].value;
	return NULL;
}

void stanza_fini(struct stanza *r)
{
	mem_free(r->block);
	mem_free(r->headers);
	mem_free((char *)r->body.p);
	*r = (struct stanza){0};
}

void stanza_reader_init(struct stanza_reader *r, enum stanza_kind kind)
{
	*r = (struct stanza_reader){.kind = kind, .block_max = STANZA_UNTRUSTED_BLOCK_MAX_BYTES};
	buf_init(&r->in);
	if (kind == STANZA_REPLY)
		stanza_reader_trust(r);
}

void stanza_reader_fini(struct stanza_reader *r)
{
	stanza_fini(&r->open);
	buf_fini(&r->in);
}

void stanza_reader_trust(struct stanza_reader *r)
{
	r->block_max = STANZA_BLOCK_MAX_BYTES;
	r->body_max = STANZA_BODY_MAX_BYTES;
}

size_t stanza_reader_buffered_bytes(const struct stanza_reader *r)
{
	return r->in.n - r->at;
}

size_t stanza_reader_held_bytes(const struct stanza_reader *r)
{
	return r->in.cap + (r->has_open ? r->open.header_count * sizeof(*r->open.headers) : 0);
}

static void take(struct stanza_reader *r, size_t n)
{
	enum { KEEP_BYTES = 8 << 10 };
	r->at += n;
	r->scanned = 0;
	if (r->at < r->in.n / 2)
		return;
	buf_drop(&r->in, r->at);
	r->at = 0;
	if (!r->in.n && r->in.cap > KEEP_BYTES) {
		buf_fini(&r->in);
		buf_init(&r->in);
	}
}

int stanza_reader_feed(struct stanza_reader *r, const char *p, size_t n)
{
	if (r->failure)
		return r->failure;
	if (r->in.n - r->at + n > r->block_max + r->body_max + (256u << 10))
		return r->failure = ST_NOMEM;
	return buf_add(&r->in, p, n);
}

/* Bytes of the block up to and with its empty line, or 0 when that is not there yet. */
static size_t find_block_end(struct stanza_reader *r)
{
	const char *p = r->in.p + r->at;
	size_t left = r->in.n - r->at;
	for (size_t i = r->scanned; i < left; i++) {
		if (p[i] != '\n')
			continue;
		size_t j = i + 1;
		if (j < left && p[j] == '\r')
			j++;
		if (j >= left) {
			r->scanned = i;
			return 0;
		}
		if (p[j] == '\n')
			return j + 1;
	}
	r->scanned = left;
	return 0;
}

static void skip_empty_lines(struct stanza_reader *r)
{
	size_t n = 0;
	if (r->scanned)
		return; /* within a block */
	while (r->at + n < r->in.n && (r->in.p[r->at + n] == '\n' || r->in.p[r->at + n] == '\r'))
		n++;
	if (n)
		take(r, n);
}

static char *cut_spaces(char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	size_t n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		s[--n] = 0;
	return s;
}

/* Cuts the block into lines; a line without a colon is no header and is passed over. */
static int split_block(struct stanza *q, enum stanza_kind kind)
{
	size_t cap = 0;
	char *line = q->block;
	bool is_command = kind == STANZA_COMMAND;
	for (; line && *line; is_command = false) {
		char *end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		char *colon = strchr(line, ':');
		if (is_command) {
			q->command = cut_spaces(line);
		} else if (colon && colon > line) {
			if (q->header_count == STANZA_HEADER_MAX_COUNT)
				return ST_PARSE;
			if (q->header_count == cap) {
				cap = cap ? cap * 2 : 8;
				struct stanza_header *h = mem_realloc(q->headers, cap * sizeof(*h));
				if (!h)
					return ST_NOMEM;
				q->headers = h;
			}
			*colon = 0;
			q->headers[q->header_count++] = (struct stanza_header){cut_spaces(line), cut_spaces(colon + 1)};
		}
		line = end;
	}
	return ST_OK;
}

static int open_block(struct stanza_reader *r, size_t n)
{
	struct stanza q = {0};
	int st = ST_NOMEM;
	if (memchr(r->in.p + r->at, 0, n))
		return ST_PARSE;
	q.block = mem_strndup(r->in.p + r->at, n);
	if (!q.block)
		return ST_NOMEM;
	st = split_block(&q, r->kind);
	if (st)
		goto out;
	uint64_t body = 0;
	const char *length = stanza_get(&q, "content-length");
	if (length && (sv_u64(sv_of(length), &body) || body > r->body_max)) {
		st = ST_PARSE;
		goto out;
	}
	take(r, n);
	r->open = q;
	r->body_bytes = (size_t)body;
	r->has_open = true;
	return ST_OK;
out:
	stanza_fini(&q);
	return st;
}

int stanza_reader_next(struct stanza_reader *r, struct stanza *out)
{
	if (r->failure)
		return r->failure;
	if (!r->has_open) {
		skip_empty_lines(r);
		size_t left = stanza_reader_buffered_bytes(r), n = left ? find_block_end(r) : 0;
		if (n > r->block_max || (!n && left > r->block_max))
			return r->failure = ST_PARSE;
		if (!n)
			return ST_AGAIN;
		int st = open_block(r, n);
		if (st)
			return r->failure = st;
	}
	if (stanza_reader_buffered_bytes(r) < r->body_bytes)
		return ST_AGAIN;
	if (r->body_bytes) {
		char *body = mem_strndup(r->in.p + r->at, r->body_bytes);
		if (!body)
			return ST_NOMEM;
		r->open.body = (struct sv){body, r->body_bytes};
		take(r, r->body_bytes);
	}
	*out = r->open;
	r->open = (struct stanza){0};
	r->has_open = false;
	r->body_bytes = 0;
	return ST_OK;
}
