/* The command reader: finds the empty line that ends a block, cuts the block into a command line and headers in place,
 * then waits for the body. Bytes behind the request stay buffered for the next one, so a client may send ahead; how
 * much is read ahead is the connection's business. Does not decode values and does not know commands. */
#include "esl/reader.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

const char *esl_request_get(const struct esl_request *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (!strcasecmp(r->headers[i].name, name))
			return r->headers[i].value;
	return NULL;
}

void esl_request_fini(struct esl_request *r)
{
	mem_free(r->block);
	mem_free(r->headers);
	mem_free((char *)r->body.p);
	*r = (struct esl_request){0};
}

void esl_reader_init(struct esl_reader *r)
{
	*r = (struct esl_reader){.block_max = ESL_LOGIN_BLOCK_MAX_BYTES};
	buf_init(&r->in);
}

void esl_reader_fini(struct esl_reader *r)
{
	esl_request_fini(&r->open);
	buf_fini(&r->in);
}

void esl_reader_trust(struct esl_reader *r)
{
	r->block_max = ESL_BLOCK_MAX_BYTES;
	r->body_max = ESL_BODY_MAX_BYTES;
}

size_t esl_reader_buffered_bytes(const struct esl_reader *r)
{
	return r->in.n;
}

int esl_reader_feed(struct esl_reader *r, const char *p, size_t n)
{
	if (r->failure)
		return r->failure;
	if (r->in.n + n > r->block_max + r->body_max + (256u << 10))
		return r->failure = ST_NOMEM;
	return buf_add(&r->in, p, n);
}

/* Bytes of the block up to and with its empty line, or 0 when that is not there yet. */
static size_t find_block_end(struct esl_reader *r)
{
	const char *p = r->in.p;
	for (size_t i = r->scanned; i < r->in.n; i++) {
		if (p[i] != '\n')
			continue;
		size_t j = i + 1;
		if (j < r->in.n && p[j] == '\r')
			j++;
		if (j >= r->in.n) {
			r->scanned = i;
			return 0;
		}
		if (p[j] == '\n')
			return j + 1;
	}
	r->scanned = r->in.n;
	return 0;
}

static void skip_empty_lines(struct esl_reader *r)
{
	size_t n = 0;
	while (n < r->in.n && (r->in.p[n] == '\n' || r->in.p[n] == '\r'))
		n++;
	if (n) {
		buf_drop(&r->in, n);
		r->scanned = 0;
	}
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
static int split_block(struct esl_request *q)
{
	size_t cap = 0;
	char *line = q->block;
	for (unsigned i = 0; line && *line; i++) {
		char *end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		char *colon = i ? strchr(line, ':') : NULL;
		if (i == 0) {
			q->command = cut_spaces(line);
		} else if (colon && colon > line) {
			if (q->header_count == ESL_HEADER_MAX_COUNT)
				return ST_PARSE;
			if (q->header_count == cap) {
				cap = cap ? cap * 2 : 8;
				struct esl_header *h = mem_realloc(q->headers, cap * sizeof(*h));
				if (!h)
					return ST_NOMEM;
				q->headers = h;
			}
			*colon = 0;
			q->headers[q->header_count++] = (struct esl_header){cut_spaces(line), cut_spaces(colon + 1)};
		}
		line = end;
	}
	return ST_OK;
}

static int open_block(struct esl_reader *r, size_t n)
{
	struct esl_request q = {0};
	int st = ST_NOMEM;
	if (memchr(r->in.p, 0, n))
		return ST_PARSE;
	q.block = mem_strndup(r->in.p, n);
	if (!q.block)
		return ST_NOMEM;
	st = split_block(&q);
	if (st)
		goto out;
	uint64_t body = 0;
	const char *length = esl_request_get(&q, "content-length");
	if (length && (sv_u64(sv_of(length), &body) || body > r->body_max)) {
		st = ST_PARSE;
		goto out;
	}
	buf_drop(&r->in, n);
	r->scanned = 0;
	r->open = q;
	r->body_bytes = (size_t)body;
	r->has_open = true;
	return ST_OK;
out:
	esl_request_fini(&q);
	return st;
}

int esl_reader_next(struct esl_reader *r, struct esl_request *out)
{
	if (r->failure)
		return r->failure;
	if (!r->has_open) {
		skip_empty_lines(r);
		size_t n = r->in.n ? find_block_end(r) : 0;
		if (n > r->block_max || (!n && r->in.n > r->block_max))
			return r->failure = ST_PARSE;
		if (!n)
			return ST_AGAIN;
		int st = open_block(r, n);
		if (st)
			return r->failure = st;
	}
	if (r->in.n < r->body_bytes)
		return ST_AGAIN;
	if (r->body_bytes) {
		char *body = mem_strndup(r->in.p, r->body_bytes);
		if (!body)
			return ST_NOMEM;
		r->open.body = (struct sv){body, r->body_bytes};
		buf_drop(&r->in, r->body_bytes);
	}
	*out = r->open;
	r->open = (struct esl_request){0};
	r->has_open = false;
	r->body_bytes = 0;
	return ST_OK;
}
