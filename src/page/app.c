/* esf_page_group: words and variables into a page, and its life, which is the application's. Where a page goes is the
 * configuration's to say: an address or a port that came from outside is refused (docs/rules.md 14). */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/codec.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/value/vars.h"
#include "media/rt/port.h"
#include "page/page_i.h"
#include "text/mark.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP "224.168.168.168"
#define POLYCOM_GROUP "224.0.1.116"
enum { PORT = 34567, CONTROL_PORT = 6061, POLYCOM_PORT = 5001, POLYCOM_CHANNEL = 26, RING_MS = 1000 };
struct page_words {
	struct in_addr group, from;
	uint16_t port, control_port;
	uint8_t ttl;
};
static unsigned count;
static uint64_t last_id;

unsigned page_count(void)
{
	return count;
}

/* ---- words ---- */

static ON_CTL int wrong(struct leg *leg, const char *what, const char *value)
{
	leg_log(leg, LOG_ERR, "esf_page_group: %s: \"%s\"", what, value);
	return ST_INVAL;
}

static ON_CTL int address(struct leg *leg, const char *what, const char *text, struct in_addr *out)
{
	return !mark_has(sv_of(text)) && inet_pton(AF_INET, text, out) == 1 ? ST_OK : wrong(leg, what, text);
}

static ON_CTL int number(struct leg *leg, const char *what, const char *text, uint32_t most, uint32_t *out)
{
	bool is_good = !mark_has(sv_of(text)) && !sv_u32(sv_of(text), out) && *out > 0 && *out <= most;
	return is_good ? ST_OK : wrong(leg, what, text);
}

/* [group [port [control port [ttl]]]] */
static ON_CTL int words_read(struct leg *leg, const struct app_words *w, struct page_words *p)
{
	char *group = leg_text_dup(leg, "esf_multicast_ip"), *from = leg_text_dup(leg, "esf_multicast_bind_ip");
	uint32_t port = PORT, control_port = CONTROL_PORT, ttl = 1;
	if (!from)
		from = leg_text_dup(leg, "local_ip_v4");
	int st = address(leg, "the group is no IPv4 address", w->n > 0 ? w->m[0] : group ? group : GROUP, &p->group);
	if (!st)
		st = address(leg, "esf_multicast_bind_ip is no IPv4 address", from ? from : "127.0.0.1", &p->from);
	if (!st && w->n > 1)
		st = number(leg, "no port", w->m[1], 65535, &port);
	if (!st && w->n > 2)
		st = number(leg, "no control port", w->m[2], 65535, &control_port);
	if (!st && w->n > 3)
		st = number(leg, "no ttl of 1 to 255", w->m[3], 255, &ttl);
	p->port = (uint16_t)port, p->control_port = (uint16_t)control_port, p->ttl = (uint8_t)ttl;
	mem_free(group);
	mem_free(from);
	return st;
}

/* ---- a page ---- */

static ON_CTL int socket_open(struct leg *leg, const struct page_words *p)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = p->from};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&from, sizeof(from)) &&
	    !setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &p->from, sizeof(p->from)) &&
	    !setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &p->ttl, sizeof(p->ttl))) {
		(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
		return fd;
	}
	leg_log(leg, LOG_ERR, "esf_page_group: no socket at %s for multicast: %s", inet_ntoa(p->from), strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct sockaddr_in at(struct in_addr host, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = host, .sin_port = htons(port)};
}

static ON_CTL void conf_fill(struct leg *leg, struct page_conf *c, const struct page_words *p)
{
	const char *codec = leg_var(leg, "esf_multicast_write_codec"), *channel = leg_var(leg, "esf_multicast_channel"),
	           *caller = leg_profile_field(leg->profile, "caller_id_name");
	bool is_g722 = codec && !strcasecmp(codec, "G722");
	uint32_t n = 0;
	struct in_addr polycom = {0};
	(void)inet_pton(AF_INET, POLYCOM_GROUP, &polycom);
	if (codec && !is_g722 && strcasecmp(codec, "PCMU") != 0)
		leg_log(leg, LOG_WARNING, "esf_multicast_write_codec is PCMU or G722, not \"%s\"", codec);
	c->codec = codec_find(is_g722 ? "G722" : "PCMU", 8000, 1);
	c->id = ++last_id;
	c->epoch = (uint32_t)(clock_wall_us() / 1000000);
	c->sound = at(p->group, p->port), c->control = at(p->group, p->control_port),
	c->polycom = at(polycom, POLYCOM_PORT);
	c->rtp = (struct page_rtp){is_g722 ? 9 : 0, (uint16_t)rand_u32(), rand_u32(), rand_u32()};
	bool is_channel = channel && !sv_u32(sv_of(channel), &n) && n > 0 && n < 255;
	c->to_polycom.channel = (uint8_t)(is_channel ? n : POLYCOM_CHANNEL);
	c->to_polycom.codec = c->rtp.pt;
	c->to_polycom.id = (uint32_t)c->id;
	for (size_t i = 0; caller && i < PAGE_CALLER_BYTES && caller[i]; i++)
		c->to_polycom.caller[i] = caller[i];
}

/* The sound that goes before: the pager hears it, and so does the page, which takes both sides then. */
static CO int speak(struct leg *leg, const char *alert)
{
	int st = alert && *alert ? leg_play(leg, alert, "none", NULL) : ST_OK;
	if (st != ST_HANGUP && st != ST_CANCELLED)
		do
			st = leg_sleep(leg, clock_us_of_s(3600));
		while (st == ST_OK && leg_is_ready(leg));
	return st;
}

static CO int page(struct leg *leg, const struct page_words *p)
{
	struct page_conf c = {.fd = socket_open(leg, p)};
	char *alert = leg_text_dup(leg, "esf_multicast_alert_sound");
	uint32_t tap_id = 0;
	if (c.fd < 0) {
		mem_free(alert);
		return ST_IO;
	}
	conf_fill(leg, &c, p);
	struct media_port_conf conf = {.rate_hz = c.codec ? c.codec->rate_hz : 0,
	    .hears_read = true,
	    .hears_write = alert != NULL,
	    .out_ms = RING_MS};
	struct mstream *s = leg_media_stream(leg);
	int st = c.codec && s ? media_port_new(&c.port, &conf) : ST_UNSUPPORTED;
	struct media_port *port = c.port;
	if (!st)
		st = mstream_port(s, port, &tap_id);
	mem_ref(port);
	if (!st && (st = page_thread_open(&c)))
		(void)mstream_tap_stop(s, tap_id);
	if (st) {
		leg_log(leg, LOG_ERR, "esf_page_group: the call's sound cannot be sent: %s", status_text(st));
		mem_unref(c.port);
		close(c.fd);
	} else {
		st = speak(leg, alert);
		if ((s = leg_media_stream(leg)))
			(void)mstream_tap_stop(s, tap_id);
		page_thread_close(c.id);
	}
	mem_unref(port);
	mem_free(alert);
	return st;
}

int app_page_group(struct leg *leg, const char *data)
{
	struct app_words w;
	struct page_words p;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	if (!st)
		st = words_read(leg, &w, &p);
	app_words_fini(&w);
	if (!st && count >= PAGE_MAX) {
		leg_log(leg, LOG_ERR, "esf_page_group: %d pages at once, and no more", PAGE_MAX);
		st = ST_FULL;
	}
	if (st)
		return st;
	leg_var_set_int(leg, "multicast_ttl", p.ttl);
	count++;
	if (!(st = leg_answer(leg)))
		st = page(leg, &p);
	count--;
	return st;
}

/* ---- the tables ---- */

static const struct app_desc apps[] = {
    {"esf_page_group", "Page phones that listen on a multicast group", "[<group> [<port> [<control port> [<ttl>]]]]", 0,
        app_page_group},
    {NULL},
};
static const struct var_desc vars[] = {
    {"esf_multicast_alert_sound", "path", "heard in front of a page", true, false},
    {"esf_multicast_bind_ip", "address", "from where a page is sent; else local_ip_v4", true, false},
    {"esf_multicast_channel", "number", "Polycom's channel of a page, 1 to 254; else 26", true, false},
    {"esf_multicast_ip", "address", "the group of a page, where esf_page_group names none; else " GROUP, true, false},
    {"esf_multicast_write_codec", "PCMU|G722", "codec of a page; else PCMU", true, false},
    {"multicast_ttl", "number", "how many routers a page passes", false, true},
    {NULL},
};

static int unload(void)
{
	role_assert_ctl();
	if (count)
		return ST_BUSY;
	page_thread_stop();
	return ST_OK;
}

extern const struct module mod_esf;
const struct module mod_esf = {.abi = MODULE_ABI, .name = "mod_esf", .unload = unload, .apps = apps, .vars = vars};
