/* Web hooks: what happens to a caller (offered, answered, ended, wrapped) as a POST to web-hook-url, for a CRM. Each
 * goes into the journal of call records first (cdr/target.h), and stays there until the server has said 2xx: over
 * restarts, tried again with pauses, never in the way of a call. So each comes at least once; X-Tandem-Id tells the
 * second time.
 *
 *   X-Tandem-Signature: sha256=HEX, HMAC-SHA-256 under web-hook-secret of X-Tandem-Timestamp "." body, made anew for
 * each try: a receiver refuses what is old or wrong. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "cdr/target.h"
#include "core/value/cause.h"
#include "fetch/fetch.h"
#include "text/digest.h"
#include "text/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POSTS_MAX = 8, BATCH_MAX_BYTES = 1 << 20, ANSWER_MAX_BYTES = 65536, PAUSE_S = 5 };
struct post {
	struct cdr_entry *entry; /* NULL: free */
	struct fetch *fetch;
};
static struct cdr_target *target; /* NULL: off */
static struct post posts[POSTS_MAX];
static char *url, *secret, *wanted;
static int64_t timeout_s;
static uint64_t serial;

/* ---- sending ---- */

static void on_fetched(const struct fetch_result *r, void *arg)
{
	struct post *p = arg;
	char why[FETCH_ERROR_CHARS + 40];
	role_assert_ctl();
	struct cdr_entry *e = p->entry;
	p->fetch = NULL;
	if (r->status == ST_CANCELLED) /* the program ends: the journal has it */
		return;
	p->entry = NULL;
	if (r->status)
		snprintf(why, sizeof(why), "%s", *r->error ? r->error : status_text(r->status));
	else
		snprintf(why, sizeof(why), "web-hook-url answers %d", r->code);
	bool is_taken = !r->status && r->code >= 200 && r->code < 300;
	cdr_target_done(target, e, is_taken ? ST_OK : ST_AGAIN, why);
}

static ON_CTL void headers_put(struct buf *out, struct sv id, struct sv body)
{
	uint8_t sum[DIGEST_SHA256_BYTES];
	char hex[DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) + 1];
	struct buf text;
	int64_t now_s = cc_now_s();
	buf_printf(out, "X-Tandem-Id: %.*s\r\nX-Tandem-Timestamp: %" PRId64 "\r\n", SVF(id), now_s);
	if (!secret || !*secret)
		return;
	buf_init(&text);
	buf_printf(&text, "%" PRId64 ".", now_s);
	buf_addv(&text, body);
	digest_hmac_sha256(secret, strlen(secret), text.p, text.n, sum);
	out->failed |= text.failed;
	buf_fini(&text);
	digest_hex(sum, sizeof(sum), hex);
	buf_printf(out, "X-Tandem-Signature: sha256=%s\r\n", hex);
}

static ON_CTL void post_start(struct post *p)
{
	struct sv body = cdr_entry_body(p->entry);
	struct buf headers;
	buf_init(&headers);
	headers_put(&headers, cdr_entry_id(p->entry), body);
	const struct fetch_params f = {.url = url,
	    .method = "POST",
	    .headers = headers.p,
	    .ctype = "application/json",
	    .body = body,
	    .timeout_ms = clock_ms_of_s(timeout_s),
	    .max_bytes = ANSWER_MAX_BYTES,
	    .allows_http = true,
	    .allows_inside = true};
	int st = headers.failed ? ST_NOMEM : fetch_start(&p->fetch, &f, on_fetched, p);
	buf_fini(&headers);
	if (st < 0) {
		struct cdr_entry *e = p->entry;
		p->entry = NULL;
		cdr_target_done(target, e, st,
		    st == ST_INVAL || st == ST_DENIED ? "web-hook-url cannot be asked" : status_text(st));
	}
}

static void on_send(void *arg, struct cdr_entry *const *entries, size_t count)
{
	role_assert_ctl();
	for (size_t i = 0; i < count; i++)
		posts[i] = (struct post){.entry = entries[i]};
	for (size_t i = 0; i < count; i++)
		post_start(&posts[i]);
}

/* ---- what is told ---- */

static bool is_wanted(const char *event)
{
	return !wanted || !*wanted || sv_list_has(sv_of(wanted), ',', sv_of(event));
}

static ON_CTL void facts_put(struct json_writer *w, const struct cc_hook_facts *f)
{
	const struct cc_member *m = f->member;
	jw_kv_str(w, "queue", f->queue ? f->queue->name : f->agent ? f->agent->plus.wrap_queue : NULL);
	if (f->agent)
		jw_kv_str(w, "agent", f->agent->name);
	jw_kv_str(w, "call", m ? m->uuid : f->session);
	if (m) {
		jw_kv_str(w, "session", f->session);
		jw_kv_str(w, "caller_number", m->cid_number);
		jw_kv_str(w, "caller_name", m->cid_name);
		jw_kv_int(w, "joined", m->joined_s);
	}
	if (f->agent_uuid)
		jw_kv_str(w, "agent_session", f->agent_uuid);
	if (f->outcome)
		jw_kv_str(w, "outcome", f->outcome);
	if (f->waited_s >= 0)
		jw_kv_int(w, "waited", f->waited_s);
	if (f->talked_s >= 0)
		jw_kv_int(w, "talked", f->talked_s);
	if (f->code)
		jw_kv_str(w, "code", f->code);
	if (f->note && *f->note)
		jw_kv_str(w, "note", f->note);
	if (f->pop)
		jw_kv_str(w, "screen_pop", f->pop);
}

void cc_hook(const struct cc_hook_facts *f)
{
	struct json_writer w;
	struct buf body;
	char id[64];
	if (!target || (f->queue && !f->queue->s.has_hook) || !is_wanted(f->event))
		return;
	snprintf(id, sizeof(id), "%.36s-%s-%" PRIu64, f->member ? f->member->uuid : f->session, f->event, ++serial);
	buf_init(&body);
	jw_init(&w, &body, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "event", f->event);
	jw_kv_str(&w, "id", id);
	jw_kv_int(&w, "at", cc_now_s());
	jw_kv_str(&w, "instance", cc_instance());
	facts_put(&w, f);
	jw_end_object(&w);
	if (!body.failed)
		cdr_target_put(target, id, buf_sv(&body));
	buf_fini(&body);
}

/* ---- start and stop ---- */

static ON_CTL char *param_dup(const char *name)
{
	const char *value = cc_param(name);
	return value && *value ? mem_strdup(value) : NULL;
}

int cc_hooks_start(void)
{
	static const struct cdr_target_ops ops = {POSTS_MAX, BATCH_MAX_BYTES, PAUSE_S * INT64_C(1000000), on_send};
	const char *seconds = cc_param("web-hook-timeout");
	url = param_dup("web-hook-url");
	if (!url)
		return ST_OK;
	secret = param_dup("web-hook-secret");
	wanted = param_dup("web-hook-events");
	timeout_s = seconds && *seconds ? str_number(seconds, 1, 60) : 10;
	serial = (uint64_t)clock_wall_us(); /* ids of two runs differ */
	if (!secret)
		log_warning("callcenter.conf: web-hook-url without web-hook-secret: the hooks are not signed");
	int st = cdr_spool_open();
	if (!st && (st = cdr_target_open(&target, "callcenter_hook", &ops, NULL)))
		cdr_spool_close();
	return st;
}

void cc_hooks_stop(void)
{
	for (size_t i = 0; i < POSTS_MAX; i++)
		if (posts[i].entry && posts[i].fetch)
			fetch_cancel(posts[i].fetch);
	memset(posts, 0, sizeof(posts));
	if (target) {
		cdr_target_close(target);
		cdr_spool_close();
	}
	target = NULL;
	mem_free(url);
	mem_free(secret);
	mem_free(wanted);
	url = secret = wanted = NULL;
}
