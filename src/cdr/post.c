/* Records to web servers. A record is a POST to the first URL; after a failure it goes to the next of the list after a
 * pause, so often as "retries" says, then into err-log-dir as a file, as FreeSWITCH does it. The journal holds it until
 * one of the two has happened. Which server is tried first is that which took the last one. */
#include "cdr/post.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/target.h"
#include "core/leg/leg.h"
#include "core/value/self.h"
#include "fetch/fetch.h"
#include "text/base64.h"
#include "text/url.h"
#include "text/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_MAX_BYTES = 32768, ANSWER_MAX_BYTES = 65536, BATCH_MAX_BYTES = 8 << 20 };

struct cdr_sending {
	struct cdr_post *post;
	struct cdr_entry *entry; /* NULL: free */
	struct fetch *fetch;
	size_t url;
};

/* ---- one request ---- */

static ON_CTL void file_put(struct cdr_post *p, const char *dir, const char *id, struct buf *text)
{
	struct buf path;
	buf_init(&path);
	buf_printf(&path, "%s/%s.cdr.%s", dir, id, p->extension);
	if (path.failed)
		buf_fini(text);
	else
		cdr_spool_put_taken(CDR_CREATE, path.p, text);
	buf_fini(&path);
}

static ON_CTL void put_aside(struct cdr_post *p, struct cdr_entry *e)
{
	struct sv body = cdr_entry_body(e);
	struct buf text;
	char id[100];
	if (!p->logs_errors)
		return;
	snprintf(id, sizeof(id), "%.*s", SVF(cdr_entry_id(e)));
	buf_init(&text);
	buf_addv(&text, body);
	log_error("cdr: %s: the record %s goes to %s", p->module, id, p->err_log_dir);
	file_put(p, p->err_log_dir, id, &text);
}

static ON_CTL void sending_done(struct cdr_sending *s, bool is_taken, const char *why)
{
	struct cdr_post *p = s->post;
	struct cdr_entry *e = s->entry;
	s->entry = NULL;
	if (is_taken) {
		p->url_at = s->url;
		cdr_target_done(p->target, e, ST_OK, NULL);
		return;
	}
	p->url_at = (s->url + 1) % p->url_count;
	if (p->retries >= 0 && cdr_entry_tries(e) >= (uint64_t)p->retries) {
		put_aside(p, e);
		cdr_target_done(p->target, e, ST_OK, why);
	} else {
		cdr_target_done(p->target, e, ST_AGAIN, why);
	}
}

static void on_fetched(const struct fetch_result *r, void *arg)
{
	struct cdr_sending *s = arg;
	char why[FETCH_ERROR_CHARS + 40];
	role_assert_ctl();
	s->fetch = NULL;
	if (r->status == ST_CANCELLED) /* the program ends: the journal has it */
		return;
	if (r->status)
		snprintf(why, sizeof(why), "%s", *r->error ? r->error : status_text(r->status));
	else
		snprintf(why, sizeof(why), "the server answers %d", r->code);
	sending_done(s, !r->status && r->code >= 200 && r->code < 300, why);
}

static ON_CTL const char *body_put(const struct cdr_post *p, struct sv text, struct buf *out)
{
	if (p->encode == CDR_ENCODE_TEXT || (p->is_json && p->encode == CDR_ENCODE_NONE)) {
		buf_addv(out, text);
		return p->is_json ? "application/json" : "text/xml";
	}
	buf_adds(out, "cdr=");
	if (p->encode == CDR_ENCODE_BASE64) {
		base64_encode(out, text.p, text.n);
		return "application/x-www-form-base64-encoded";
	}
	if (p->encode == CDR_ENCODE_NONE) {
		buf_addv(out, text);
		return "application/x-www-form-plaintext";
	}
	url_encode(out, text, 0);
	return "application/x-www-form-urlencoded";
}

static ON_CTL void sending_start(struct cdr_sending *s)
{
	struct cdr_post *p = s->post;
	struct buf url, body;
	struct fetch_params f = {.method = "POST",
	    .timeout_ms = clock_ms_of_s(p->timeout_s),
	    .max_bytes = ANSWER_MAX_BYTES,
	    .allows_http = true,
	    .allows_inside = true,
	    .skips_verify = !p->checks_ca,
	    .skips_verify_host = !p->checks_host,
	    .ca_file = p->ca_file,
	    .user = p->user,
	    .password = p->password,
	    .auth = p->auth,
	    .agent = p->agent,
	    .cookie_file = p->cookie_file,
	    .cert_file = p->cert_file,
	    .key_file = p->key_file,
	    .key_password = p->key_password};

	s->url = p->url_at;
	buf_init(&url), buf_init(&body);
	buf_printf(&url, "%s%cuuid=%.*s", p->urls[s->url], strchr(p->urls[s->url], '?') ? '&' : '?',
	    SVF(cdr_entry_id(s->entry)));
	f.ctype = body_put(p, cdr_entry_body(s->entry), &body);
	f.url = url.p, f.body = buf_sv(&body);
	int st = url.failed || body.failed ? ST_NOMEM : fetch_start(&s->fetch, &f, on_fetched, s);
	buf_fini(&url), buf_fini(&body);
	if (st == ST_FULL || st == ST_NOMEM || st == ST_CANCELLED) { /* for want of room here: it does not count */
		struct cdr_entry *e = s->entry;
		s->entry = NULL;
		cdr_target_done(p->target, e, st, status_text(st));
	} else if (st < 0) {
		sending_done(s, false, "this URL cannot be asked");
	}
}

static void records_take(void *arg, struct cdr_entry *const *entries, size_t count)
{
	struct cdr_post *p = arg;
	role_assert_ctl();
	for (size_t i = 0; i < count; i++)
		p->sendings[i] = (struct cdr_sending){.post = p, .entry = entries[i]};
	for (size_t i = 0; i < count; i++)
		sending_start(&p->sendings[i]);
}

/* ---- parameters ---- */

void cdr_post_init(struct cdr_post *p)
{
	p->logs_b_leg = p->encodes_values = p->logs_errors = true;
	p->delay_s = 5;
	p->timeout_s = 10;
}

static void text_set(char **text, const char *value)
{
	mem_free(*text);
	*text = *value ? mem_strdup(value) : NULL;
}

static void cred_set(struct cdr_post *p, const char *value)
{
	struct sv user, password;
	sv_split(sv_of(value), ':', &user, &password);
	mem_free(p->user), mem_free(p->password);
	p->user = sv_dup(user), p->password = sv_dup(password);
}

static ON_CTL void encode_set(struct cdr_post *p, const char *value)
{
	p->encode = !strcmp(value, "base64")                                  ? CDR_ENCODE_BASE64
	            : !strcmp(value, "textxml") || !strcmp(value, "text/xml") ? CDR_ENCODE_TEXT
	            : !strcmp(value, "textxml-chunk") || !str_is_true(value)  ? CDR_ENCODE_NONE
	                                                                      : CDR_ENCODE_FORM;
}

static ON_CTL void number_set(int64_t *number, const struct xml_node *param, int64_t low, int64_t high)
{
	const char *value = xml_attr_or(param, "value", "");
	int64_t n;
	if (sv_i64(sv_of(value), &n) || n < low || n > high)
		log_warning("%s:%u: %s: a number from %lld to %lld is wanted, not \"%s\"", param->file, param->line,
		    xml_attr_or(param, "name", ""), (long long)low, (long long)high, value);
	else
		*number = n;
}

static ON_CTL void url_add(struct cdr_post *p, const struct xml_node *param)
{
	const char *value = xml_attr_or(param, "value", "");
	if (*value && p->url_count < CDR_URLS_MAX)
		p->urls[p->url_count++] = mem_strdup(value);
	else if (*value)
		log_warning(
		    "%s:%u: there are over %d URLs; this one is left out", param->file, param->line, CDR_URLS_MAX);
}

/* false: none of these. */
static ON_CTL bool tls_setting(struct cdr_post *p, const char *name, const char *value)
{
	static const char *const names[] = {
	    "ssl-cacert-file", "ssl-cert-path", "ssl-key-path", "ssl-key-password", "cookie-file"};
	char **texts[] = {&p->ca_file, &p->cert_file, &p->key_file, &p->key_password, &p->cookie_file};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i])) {
			text_set(texts[i], value);
			return true;
		}
	if (!strcmp(name, "enable-cacert-check"))
		p->checks_ca = str_is_true(value);
	else if (!strcmp(name, "enable-ssl-verifyhost"))
		p->checks_host = str_is_true(value);
	else
		return false;
	return true;
}

void cdr_post_setting(struct cdr_post *p, const struct xml_node *param)
{
	const char *name = xml_attr_or(param, "name", ""), *value = xml_attr_or(param, "value", "");
	if (!strcmp(name, "log-dir"))
		p->has_log_dir = true, text_set(&p->log_dir, value);
	else if (!strcmp(name, "err-log-dir"))
		text_set(&p->err_log_dir, value);
	else if (!strcmp(name, "log-b-leg"))
		p->logs_b_leg = str_is_true(value);
	else if (!strcmp(name, "prefix-a-leg"))
		p->prefixes_a_leg = str_is_true(value);
	else if (!strcmp(name, "log-http-and-disk"))
		p->logs_both = str_is_true(value);
	else if (!strcmp(name, "log-errors-to-disk"))
		p->logs_errors = str_is_true(value);
	else if (!strcmp(name, "encode"))
		encode_set(p, value);
	else if (!strcmp(name, "encode-values"))
		p->encodes_values = str_is_true(value);
	else if (!strcmp(name, "url"))
		url_add(p, param);
	else if (!strcmp(name, "cred"))
		cred_set(p, value);
	else if (!strcmp(name, "retries"))
		number_set(&p->retries, param, -1, 1000000);
	else if (!strcmp(name, "delay"))
		number_set(&p->delay_s, param, 1, 3600);
	else if (!strcmp(name, "timeout"))
		number_set(&p->timeout_s, param, 1, 600);
	else if (!strcmp(name, "auth-scheme") && !(p->auth = fetch_auth_parse(value)))
		log_warning(
		    "%s:%u: auth-scheme is basic, digest, NTLM or any, not \"%s\"", param->file, param->line, value);
	else
		(void)tls_setting(p, name, value);
}

/* ---- life ---- */

/* A path, below the log directory when it is not absolute; the module's own when it is empty. */
static ON_CTL void dir_settle(const struct cdr_post *p, char **dir)
{
	struct buf path;
	if (*dir && **dir == '/')
		return;
	buf_init(&path);
	buf_printf(&path, "%s/%s", core_dirs()->log, *dir ? *dir : p->module);
	mem_free(*dir);
	*dir = buf_take(&path);
}

int cdr_post_open(struct cdr_post *p, const char *name)
{
	int st = cdr_spool_open();
	if (st)
		return st;
	if (!p->err_log_dir && p->log_dir)
		p->err_log_dir = mem_strdup(p->log_dir);
	dir_settle(p, &p->log_dir);
	dir_settle(p, &p->err_log_dir);
	if (!p->url_count)
		return ST_OK;
	p->sendings = mem_zalloc(CDR_POSTS_MAX * sizeof(*p->sendings));
	p->ops = (struct cdr_target_ops){CDR_POSTS_MAX, BATCH_MAX_BYTES, clock_us_of_s(p->delay_s), records_take};
	st = cdr_target_open(&p->target, name, &p->ops, p);
	if (st)
		cdr_spool_close();
	return st;
}

void cdr_post_close(struct cdr_post *p)
{
	for (size_t i = 0; p->sendings && i < CDR_POSTS_MAX; i++)
		if (p->sendings[i].entry)
			fetch_cancel(p->sendings[i].fetch);
	cdr_target_close(p->target);
	char *texts[] = {p->user, p->password, p->log_dir, p->err_log_dir, p->ca_file, p->cert_file, p->key_file,
	    p->key_password, p->cookie_file};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	for (size_t i = 0; i < p->url_count; i++)
		mem_free(p->urls[i]);
	mem_free(p->sendings);
	memset(p, 0, sizeof(*p));
	cdr_spool_close();
}

void cdr_post_record(struct cdr_post *p, struct leg *leg, struct buf *text)
{
	bool is_filed = !p->url_count || p->logs_both;
	char id[100];
	if (text->n > p->usual_bytes)
		p->usual_bytes = text->n < USUAL_MAX_BYTES ? text->n : USUAL_MAX_BYTES;
	snprintf(id, sizeof(id), "%s%s", !cdr_is_b(leg) && p->prefixes_a_leg ? "a_" : "", leg->uuid);
	if (p->target)
		cdr_target_put(p->target, id, buf_sv(text));
	if (is_filed)
		file_put(p, p->log_dir, id, text);
	else
		buf_fini(text);
}
