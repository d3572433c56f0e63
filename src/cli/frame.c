/* Frames: a block of "Name: value" lines, an empty line, and a body of Content-Length bytes. The length is checked
 * before anything is allocated for it. Bytes behind a frame wait for the next call. */
#include "cli/frame.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

const char *frame_get(const struct frame *f, const char *name)
{
	for (size_t i = 0; i < f->header_count; i++)
		if (!strcasecmp(f->headers[i].name, name))
			return f->headers[i].value;
	return NULL;
}

bool frame_is(const struct frame *f, const char *content_type)
{
	const char *v = frame_get(f, "content-type");
	return v && !strcasecmp(v, content_type);
}

void frame_fini(struct frame *f)
{
	mem_free(f->block);
	mem_free((char *)f->body.p);
	*f = (struct frame){0};
}

void frame_reader_init(struct frame_reader *r)
{
	*r = (struct frame_reader){0};
	buf_init(&r->in);
}

void frame_reader_fini(struct frame_reader *r)
{
	frame_fini(&r->open);
	buf_fini(&r->in);
}

int frame_reader_feed(struct frame_reader *r, const char *p, size_t n)
{
	return r->failure ? r->failure : buf_add(&r->in, p, n);
}

static size_t block_end(const struct buf *in)
{
	for (size_t i = 0; i + 1 < in->n && i < FRAME_BLOCK_MAX_BYTES; i++)
		if (in->p[i] == '\n' && in->p[i + 1] == '\n')
			return i + 2;
	return 0;
}

static int parse_block(struct frame *f)
{
	char *line = f->block;
	while (line && *line) {
		char *end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		char *colon = strchr(line, ':');
		if (colon) {
			if (f->header_count == FRAME_HEADER_MAX_COUNT)
				return ST_PARSE;
			*colon++ = 0;
			f->headers[f->header_count++] = (struct frame_header){line, colon + strspn(colon, " ")};
		}
		line = end;
	}
	return ST_OK;
}

static int open_frame(struct frame_reader *r, size_t n)
{
	struct frame f = {.block = memchr(r->in.p, 0, n) ? NULL : mem_strndup(r->in.p, n)};
	uint64_t length = 0;
	if (!f.block || parse_block(&f))
		goto fail;
	const char *text = frame_get(&f, "content-length");
	if (text && (sv_u64(sv_trim(sv_of(text)), &length) || length > FRAME_BODY_MAX_BYTES))
		goto fail;
	buf_drop(&r->in, n);
	r->open = f;
	r->body_bytes = (size_t)length;
	r->has_open = true;
	return ST_OK;
fail:
	frame_fini(&f);
	return ST_PARSE;
}

int frame_reader_next(struct frame_reader *r, struct frame *out)
{
	if (r->failure)
		return r->failure;
	if (!r->has_open) {
		size_t skip = 0;
		while (skip < r->in.n && r->in.p[skip] == '\n')
			skip++;
		buf_drop(&r->in, skip);
		size_t n = block_end(&r->in);
		if (!n && r->in.n > FRAME_BLOCK_MAX_BYTES)
			return r->failure = ST_PARSE;
		if (!n)
			return ST_AGAIN;
		if (open_frame(r, n))
			return r->failure = ST_PARSE;
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
	r->open = (struct frame){0};
	r->has_open = false;
	r->body_bytes = 0;
	return ST_OK;
}
