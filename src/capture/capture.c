/* `uuid_pcap`: one call's packets in a file, SIP of all its legs and their RTP and RTCP, decrypted. Copies lie in
 * rings, one of control (SIP) and one of each stream (media threads); a worker empties them into the file every so
 * often. What finds a ring full is dropped and counted: neither a call nor a media thread waits for the disk. The file
 * lies in the folder that the configuration names, is made anew, and is for its owner's eyes only. It ends by command,
 * with the call, or when it is as long as it may be. The same room hands RTCP reports to the capture server (trace/).
 */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "capture/capture_i.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/leg/part.h"
#include "core/registry/api.h"
#include "core/registry/module.h"
#include "core/sound/media.h"
#include "core/value/self.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/mctl.h"
#include "media/rt/rt.h"
#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CAPTURES_MAX = 16,
	RINGS_MAX = TRACE_CALLS_MAX + 1, /* the first is control's */
	RING_BYTES = 1 << 20,
	DRAIN_MS = 200,
	LINGER_MS = 1000, /* for the last answers */
	NAME_MAX_CHARS = 100,
	PACKET_MAX = 65536
};
#define FILE_MAX_BYTES (256u << 20)

struct capture { /* the list's, and the worker's while a job runs */
	struct lnode link;
	char uuid[UUID_CHARS + 1], *path;
	struct trace_calls calls;
	struct trace_watch watch;
	struct ltimer timer;
	struct rt_capture *rings[RINGS_MAX];
	char ring_uuids[RINGS_MAX][UUID_CHARS + 1];
	size_t ring_count;
	bool is_ending, is_job_running, is_last_job, is_gone;
	/* ---- the worker's while a job runs */
	int fd;
	const char *error; /* static, or the system's for an errno */
	uint64_t packets, bytes;
	struct buf out;
	uint8_t *packet;
};
static struct list captures = {{&captures.head, &captures.head}};

/* ---- the worker ---- */

static ON_WORK void out_write(struct capture *c)
{
	size_t at = 0;
	while (at < c->out.n && !c->error) {
		ssize_t n = write(c->fd, c->out.p + at, c->out.n - at);
		if (n < 0 && errno != EINTR)
			c->error = strerror(errno);
		at += n > 0 ? (size_t)n : 0;
	}
	c->bytes += at;
	buf_clear(&c->out);
}

static ON_WORK void file_open(struct capture *c)
{
	char dir[1024];
	snprintf(dir, sizeof(dir), "%s", c->path);
	*strrchr(dir, '/') = 0;
	(void)mkdir(dir, 0700);
	c->fd = open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->fd < 0)
		c->error = errno == EEXIST ? "the file is there already" : strerror(errno);
	else
		pcapng_begin(&c->out);
}

static void drain_job(void *arg)
{
	struct capture *c = arg;
	struct rt_captured k;
	role_assert_work();
	if (c->fd < 0 && !c->error)
		file_open(c);
	for (size_t i = 0; i < c->ring_count; i++)
		while (rt_capture_take(c->rings[i], &k, c->packet, PACKET_MAX)) {
			struct pcap_packet p = {.src = k.is_outgoing ? k.local : k.remote,
			    .dst = k.is_outgoing ? k.remote : k.local,
			    .wall_us = k.wall_us,
			    .payload = {(const char *)k.p, k.n}};
			if (c->error)
				continue; /* read over */
			pcapng_packet(&c->out, &p);
			c->packets++;
			if (c->out.n > (256u << 10))
				out_write(c);
		}
	if (!c->error)
		out_write(c);
	if (!c->error && c->bytes > FILE_MAX_BYTES)
		c->error = "it is as long as it may be";
	if (c->is_last_job && c->fd >= 0) {
		int rc = close(c->fd);
		c->fd = -1;
		if (rc && !c->error)
			c->error = strerror(errno);
	}
}

/* ---- control ---- */

static ON_CTL uint64_t dropped_of(const struct capture *c)
{
	uint64_t n = 0;
	for (size_t i = 0; i < c->ring_count; i++)
		n += atomic_load(&c->rings[i]->dropped);
	return n;
}

static ON_CTL void capture_free(struct capture *c)
{
	list_remove(&c->link);
	if (c->fd >= 0) /* its last job could not be */
		close(c->fd);
	for (size_t i = 0; i < c->ring_count; i++)
		mem_unref(c->rings[i]);
	buf_fini(&c->out);
	mem_free(c->packet);
	mem_free(c->path);
	mem_free(c);
}

static ON_CTL void job_go(struct capture *c);

static void on_drained(int status, void *arg)
{
	struct capture *c = arg;
	role_assert_ctl();
	c->is_job_running = false;
	if (c->is_last_job) {
		log_notice("pcap: %s: %llu packets, %llu dropped%s%s", c->path, (unsigned long long)c->packets,
		    (unsigned long long)dropped_of(c), c->error ? ": " : "", c->error ? c->error : "");
		capture_free(c);
	} else if (c->is_ending) {
		job_go(c);
	}
}

/* Nothing is put into its rings by control any more, nor by streams once they have let go. */
static ON_CTL void job_go(struct capture *c)
{
	c->is_job_running = true;
	c->is_last_job = c->is_ending;
	if (work_submit(WORK_FILE, "pcap", drain_job, on_drained, c))
		on_drained(ST_NOMEM, c);
}

static ON_CTL void streams_let_go(struct capture *c)
{
	for (size_t i = 1; i < c->ring_count; i++) {
		struct leg *leg = leg_find(c->ring_uuids[i]);
		struct mstream *s = leg ? leg_media_stream(leg) : NULL;
		if (s)
			(void)mstream_capture(s, NULL);
	}
}

static ON_CTL void capture_end(struct capture *c)
{
	if (c->is_ending)
		return;
	c->is_ending = true;
	loop_timer_cancel(&c->timer);
	trace_watch_del(&c->watch);
	streams_let_go(c);
	if (!c->is_job_running)
		job_go(c);
}

/* The leg's stream as it is now; again when its sound began anew. */
static ON_CTL void leg_attach(struct capture *c, struct leg *leg)
{
	struct mstream *s = leg_media_stream(leg);
	size_t i = 1;
	if (!s || c->is_ending)
		return;
	while (i < c->ring_count && strcmp(c->ring_uuids[i], leg->uuid))
		i++;
	if (i == RINGS_MAX)
		return;
	if (i == c->ring_count) {
		if (c->is_job_running) /* the worker walks the rings: with the next tick */
			return;
		if (rt_capture_new(&c->rings[i], RING_BYTES))
			return;
		snprintf(c->ring_uuids[i], sizeof(c->ring_uuids[i]), "%s", leg->uuid);
		c->ring_count++;
	}
	(void)mstream_capture(s, c->rings[i]);
}

static ON_CTL bool legs_attach(struct capture *c)
{
	bool has_leg = false;
	for (size_t i = 0; i < c->calls.uuid_count; i++) {
		struct leg *leg = leg_find(c->calls.uuids[i]);
		bool is_new = true;
		has_leg |= leg != NULL;
		for (size_t k = 1; leg && k < c->ring_count; k++)
			is_new &= strcmp(c->ring_uuids[k], leg->uuid) != 0;
		if (leg && is_new)
			leg_attach(c, leg);
	}
	return has_leg;
}

static void on_tick(void *arg)
{
	struct capture *c = arg;
	role_assert_ctl();
	if (!c->is_job_running && c->error) { /* the worker's until its job is done */
		log_warning("pcap: %s: %s", c->path, c->error);
		capture_end(c);
		return;
	}
	if (!legs_attach(c) && !c->is_gone) {
		c->is_gone = true;
		loop_timer_set(&c->timer, clock_us_of_ms(LINGER_MS), "pcap", on_tick, c);
	} else if (c->is_gone) {
		capture_end(c);
	} else {
		loop_timer_set(&c->timer, clock_us_of_ms(DRAIN_MS), "pcap", on_tick, c);
		if (!c->is_job_running)
			job_go(c);
	}
}

static void on_message(const struct trace_msg *m, void *arg)
{
	struct capture *c = arg;
	role_assert_ctl();
	if (!trace_calls_fit(&c->calls, m->data))
		return;
	struct rt_captured k = {.is_outgoing = m->is_outgoing,
	    .wall_us = m->wall_us,
	    .local = m->local,
	    .remote = m->remote,
	    .p = (const uint8_t *)m->data.p,
	    .n = m->data.n < PACKET_MAX ? m->data.n : PACKET_MAX};
	rt_capture_put(c->rings[0], &k);
}

static void on_note(struct sv call_id, const char *uuid, const char *other, void *arg)
{
	struct capture *c = arg;
	role_assert_ctl();
	trace_calls_note(&c->calls, call_id, uuid, other);
}

static void on_kept(const struct trace_msg *m, void *arg)
{
	role_assert_ctl();
	on_message(m, arg);
}

static ON_CTL struct capture *capture_find(const char *uuid)
{
	struct lnode *it, *tmp;
	list_each (&captures, it, tmp) {
		struct capture *c = list_entry(it, struct capture, link);
		if (!c->is_ending && trace_calls_has_uuid(&c->calls, uuid))
			return c;
	}
	return NULL;
}

/* ---- the command ---- */

/* A file's name of our own making: no folder, nothing hidden. */
static bool is_name(struct sv name)
{
	if (!name.n || name.n > NAME_MAX_CHARS || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i];
		if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '-' ||
		        ch == '_' || ch == '.'))
			return false;
	}
	return true;
}

static ON_CTL char *path_of(const struct leg *leg, struct sv name)
{
	const struct xml_node *s = xml_child(config_conf("pcap.conf"), "settings");
	const char *dir = config_param(s, "directory", "");
	struct buf b;
	buf_init(&b);
	if (*dir)
		buf_adds(&b, dir);
	else
		buf_printf(&b, "%s/pcap", core_dirs()->log);
	if (name.n)
		buf_printf(&b, "/%.*s", SVF(name));
	else
		buf_printf(&b, "/%s-%lld", leg->uuid, (long long)(clock_wall_us() / 1000000));
	if (b.n < 7 || strcmp(b.p + b.n - 7, ".pcapng") != 0)
		buf_adds(&b, ".pcapng");
	return b.n < 1000 ? buf_take(&b) : (buf_fini(&b), NULL);
}

static ON_CTL void calls_begin(struct capture *c, struct leg *leg)
{
	static const char *const names[] = {"signal_bond", "originate_signal_bond"};
	struct sv keys[4];
	size_t n = 0;
	const char *call_id = vars_get(leg->vars, "sip_call_id");
	trace_calls_uuid_add(&c->calls, leg->uuid);
	if (leg->peer)
		trace_calls_uuid_add(&c->calls, leg->peer->uuid);
	for (size_t i = 0; i < 2; i++)
		trace_calls_uuid_add(&c->calls, vars_get(leg->vars, names[i]));
	for (size_t i = 0; i < c->calls.uuid_count && n < 3; i++)
		keys[n++] = sv_of(c->calls.uuids[i]);
	if (call_id) {
		trace_calls_id_add(&c->calls, sv_of(call_id));
		keys[n++] = sv_of(call_id);
	}
	struct trace_calls found = {0};
	(void)trace_ladder_each(&found, keys, n, on_kept, c); /* those of its own Call-ID at once */
	for (size_t i = 0; i < found.call_id_count; i++) {
		struct sv one = sv_of(found.call_ids[i]);
		if (call_id && sv_is(one, call_id))
			continue;
		trace_calls_id_add(&c->calls, one);
	}
}

static ON_CTL int start(struct api_call *call, struct leg *leg, struct sv name)
{
	size_t count = 0;
	struct lnode *it, *tmp;
	list_each (&captures, it, tmp)
		count++;
	if (capture_find(leg->uuid))
		return buf_adds(call->out, "-ERR the call is captured already\n");
	if (count >= CAPTURES_MAX)
		return buf_adds(call->out, "-ERR too many calls are captured\n");
	if (name.n && !is_name(name))
		return buf_adds(call->out, "-ERR the file's name may have letters, digits, and -_. only\n");
	struct capture *c = mem_zalloc(sizeof(*c));
	if (!c)
		return ST_NOMEM;
	c->fd = -1;
	c->path = path_of(leg, name);
	c->packet = mem_alloc(PACKET_MAX);
	buf_init(&c->out);
	list_push(&captures, &c->link);
	if (!c->path || !c->packet || rt_capture_new(&c->rings[0], RING_BYTES)) {
		capture_free(c);
		return buf_adds(call->out, "-ERR no memory, or the folder's name is too long\n");
	}
	c->ring_count = 1;
	snprintf(c->uuid, sizeof(c->uuid), "%s", leg->uuid);
	calls_begin(c, leg);
	c->watch = (struct trace_watch){.on_message = on_message, .on_note = on_note, .arg = c};
	trace_watch_add(&c->watch);
	legs_attach(c);
	loop_timer_set(&c->timer, 0, "pcap", on_tick, c);
	return buf_printf(call->out, "+OK %s\n", c->path);
}

static int pcap_cmd(struct api_call *call)
{
	struct sv rest = sv_trim(sv_of(call->args)), uuid, verb, name;
	char text[UUID_CHARS + 1];
	role_assert_ctl();
	sv_split(rest, ' ', &uuid, &rest);
	sv_split(sv_trim(rest), ' ', &verb, &name);
	name = sv_trim(name);
	if (!uuid.n || (!sv_isi(verb, "start") && !sv_isi(verb, "stop")))
		return buf_adds(call->out, "-USAGE: <uuid> start [<name>]|stop\n");
	snprintf(text, sizeof(text), "%.*s", (int)(uuid.n < UUID_CHARS ? uuid.n : UUID_CHARS), uuid.p);
	if (sv_isi(verb, "stop")) {
		struct capture *c = capture_find(text);
		if (!c)
			return buf_adds(call->out, "-ERR the call is not captured\n");
		buf_printf(call->out, "+OK %s\n", c->path);
		capture_end(c);
		return ST_OK;
	}
	struct leg *leg = leg_find(text);
	return leg ? start(call, leg, name) : buf_adds(call->out, "-ERR No such channel!\n");
}

/* ---- the leg's part ---- */

static void part_stream(struct leg *leg)
{
	struct capture *c;
	role_assert_ctl();
	if (!list_empty(&captures) && (c = capture_find(leg->uuid)))
		leg_attach(c, leg);
}

static bool part_report(struct leg *leg, const struct media_report *r)
{
	role_assert_ctl();
	if (r->kind != MEDIA_R_RTCP)
		return false;
	const struct media_rtcp *m = &r->rtcp;
	struct trace_rtcp t = {.is_outgoing = m->is_outgoing,
	    .has_sr = m->has_sr,
	    .has_block = m->has_block,
	    .local = r->local,
	    .remote = r->addr,
	    .ssrc = m->ssrc,
	    .sr_ts = m->sr_ts,
	    .sr_packets = m->sr_packets,
	    .sr_octets = m->sr_octets,
	    .sr_ntp = m->sr_ntp,
	    .block = {m->block_ssrc, m->seq_ext, m->jitter, m->lsr, m->dlsr, m->lost, m->fraction_lost},
	    .call_id = sv_of(vars_get(leg->vars, "sip_call_id"))};
	trace_rtcp_send(&t);
	return false; /* others look at it as well */
}

static struct leg_part part = {.name = "capture", .on_stream = part_stream, .on_report = part_report};

static int capture_load(void)
{
	role_assert_ctl();
	trace_on_collector(mctl_rtcp_watch);
	return ST_OK;
}

static int capture_unload(void)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	trace_on_collector(NULL);
	list_each (&captures, it, tmp)
		capture_end(list_entry(it, struct capture, link));
	return ST_OK;
}

static const char *const complete[] = {"uuid_pcap ::console::list_uuid ::[start:stop", NULL};
static const struct api_desc apis[] = {
    {"uuid_pcap", "Capture a call's packets in a file", "<uuid> start [<name>]|stop", 0, pcap_cmd, complete},
    {0},
};
static const struct conf_desc confs[] = {
    {"pcap.conf", "directory", "path", "", "", "where uuid_pcap writes; empty: pcap in the log folder"},
    {0},
};
extern const struct module capture_in_commands;
const struct module capture_in_commands = {.abi = MODULE_ABI,
    .name = "mod_commands",
    .load = capture_load,
    .unload = capture_unload,
    .apis = apis,
    .confs = confs,
    .part = &part};
