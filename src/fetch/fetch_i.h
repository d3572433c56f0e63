/* Private to the room: one request, and the thread that drives them. A request belongs to the control loop, but between
 * fetch_thread_post and its coming back to the thread, which then alone touches what is below its line. */
#pragma once
#include "base/list.h"
#include "fetch/fetch.h"
#include <stdatomic.h>

struct dns_ask;
struct feed;
struct fetch {
	struct lnode link;
	fetch_fn fn; /* NULL: cancelled */
	void *arg;
	struct dns_ask *ask;
	int64_t deadline_us;
	atomic_bool is_aborted;
	/* ---- the thread's while it is there; made before */
	char *url, *method, *headers, *ctype, *body, *host, *scheme, *ca_file, *ca_dir, *user, *password;
	char *agent, *bind_local, *cookie_file, *cert_file, *key_file, *key_password;
	unsigned auth, redirects_left;
	int64_t connect_timeout_ms;
	size_t body_bytes, max_bytes;
	uint16_t port;
	bool allows_http, allows_inside, skips_verify, skips_verify_host, keeps_head, follows, is_posted;
	struct addr addr;
	void *easy, *list, *connect_to; /* curl's */
	struct buf in, head;
	struct feed *feed; /* or NULL */
	bool is_over;      /* but for the piece that it waits for */
	char *location;    /* of the answer, when redirects are followed */
	char in_ctype[128];
	size_t head_bytes;
	int64_t max_age_s;
	int status, code;
	char error[FETCH_ERROR_CHARS];
	struct lnode running;
};

ON_CTL int fetch_thread_start(void (*back)(struct fetch *f)); /* fine when it runs */
ON_CTL int fetch_thread_post(struct fetch *f);
/* feed.c: the thread asks control for a piece of the body; control says that it is there. */
ANY void fetch_thread_ask(struct fetch *f);
ON_CTL void fetch_thread_answer(struct fetch *f);
ON_CTL void fetch_thread_wake(void);
ON_CTL void fetch_thread_stop(void); /* joins; what it still had comes back before */
