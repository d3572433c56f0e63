/* Dynamic authorisation (RFC 5176): a Disconnect-Request ends a call, a CoA-Request changes one, each named by its
 * session (Acct-Session-Id: a leg; Acct-Multi-Session-Id: a call); whatever else identifies it must fit as well.
 *
 *   datagram -> a client's address -> authenticator -> seen before? the same answer -> its time -> the call -> ACK, NAK
 *
 * Strangers and forgeries get no answer. A request must be of the last minutes (Event-Timestamp), and those of that
 * time are remembered, so that none works twice; what falls out of the memory raises the time before which nothing is
 * taken. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/udp.h"
#include "radius/radius_i.h"

#include <stdio.h>

enum { SEEN_MAX = 16384, PROXY_STATE_MAX_BYTES = 512 };
enum error_cause {
	ERR_NONE = 0,
	ERR_UNSUPPORTED_ATTRIBUTE = 401,
	ERR_MISSING_ATTRIBUTE = 402,
	ERR_NAS_MISMATCH = 403,
	ERR_INVALID_REQUEST = 404,
	ERR_UNSUPPORTED_SERVICE = 405,
	ERR_NO_CONTEXT = 503
};
struct seen {
	uint32_t stamp_s;
	size_t n;
	uint8_t answer[];
};
static struct udp *udp;
static struct hash *seen; /* address and authenticator -> struct seen, in order of coming */
static uint32_t floor_s;  /* what is not younger may have been forgotten */
static struct rad_dae_counts counts;
static bool is_forged_told, is_stranger_told;

/* ---- which calls ---------------------------------------------------------------------------------------------- */
static bool text_fits(struct sv attrs, uint8_t type, const char *have)
{
	struct sv v;
	return !rad_find(attrs, 0, type, &v) || (have && sv_is(v, have));
}

static ON_CTL bool is_nas_us(struct sv attrs)
{
	const struct addr *a = &rad_conf.nas_ip;
	struct sv v;
	if (!text_fits(attrs, RAD_NAS_IDENTIFIER, rad_conf.nas_identifier))
		return false;
	if (rad_find(attrs, 0, RAD_NAS_IP_ADDRESS, &v) &&
	    (a->sa.sa_family != AF_INET || v.n != 4 || memcmp(v.p, &a->in4.sin_addr, 4) != 0))
		return false;
	return !rad_find(attrs, 0, RAD_NAS_IPV6_ADDRESS, &v) ||
	       (a->sa.sa_family == AF_INET6 && v.n == 16 && !memcmp(v.p, &a->in6.sin6_addr, 16));
}

static ON_CTL bool is_meant(struct leg *leg, struct sv attrs)
{
	return leg_is_up(leg) && leg->profile &&
	       text_fits(attrs, RAD_ACCT_MULTI_SESSION_ID, *leg->call_uuid ? leg->call_uuid : leg->uuid) &&
	       text_fits(attrs, RAD_CALLING_STATION_ID, leg->profile->caller_id_number) &&
	       text_fits(attrs, RAD_CALLED_STATION_ID, leg->profile->destination_number) &&
	       text_fits(attrs, RAD_USER_NAME, rad_leg_user_name(leg));
}

struct order {
	struct sv attrs;
	bool is_disconnect;
	const char *client;
	size_t done_count;
};

static ON_CTL bool obey(struct leg *leg, void *arg)
{
	struct order *o = arg;
	if (!is_meant(leg, o->attrs))
		return true;
	o->done_count++;
	leg_log(leg, LOG_NOTICE, "radius: %s by client %s", o->is_disconnect ? "ended" : "changed", o->client);
	if (o->is_disconnect)
		rad_leg_end(leg);
	else
		rad_reply_use(leg, o->attrs);
	return true;
}

/* The leg of its session, or all of a call. */
static ON_CTL void order_do(struct order *o)
{
	char uuid[UUID_CHARS + 1];
	struct sv session;
	struct leg *leg = NULL;
	if (!rad_find(o->attrs, 0, RAD_ACCT_SESSION_ID, &session)) {
		leg_each(obey, o);
	} else if (session.n == UUID_CHARS && !memchr(session.p, 0, session.n)) {
		snprintf(uuid, sizeof(uuid), "%.*s", SVF(session));
		leg = leg_find(uuid);
	}
	if (leg)
		(void)obey(leg, o);
}

/* ---- what may be asked ---------------------------------------------------------------------------------------- */
static ON_CTL bool is_in_reply(const struct rad_attr *a)
{
	for (size_t i = 0; i < rad_conf.reply.count; i++)
		if (rad_conf.reply.rows[i].what.vendor == a->vendor && rad_conf.reply.rows[i].what.type == a->type)
			return true;
	return a->vendor == RAD_VENDOR_CISCO && a->type == 102;
}

static ON_CTL enum error_cause attrs_check(const struct order *o)
{
	static const uint8_t ids[] = {RAD_USER_NAME, RAD_NAS_IP_ADDRESS, RAD_REPLY_MESSAGE, RAD_CLASS,
	    RAD_CALLED_STATION_ID, RAD_CALLING_STATION_ID, RAD_NAS_IDENTIFIER, RAD_PROXY_STATE, RAD_ACCT_SESSION_ID,
	    RAD_ACCT_TERMINATE_CAUSE, RAD_ACCT_MULTI_SESSION_ID, RAD_EVENT_TIMESTAMP, RAD_MESSAGE_AUTHENTICATOR,
	    RAD_NAS_IPV6_ADDRESS, 0};
	static const uint8_t changes[] = {RAD_SESSION_TIMEOUT, RAD_FILTER_ID, RAD_ACCT_INTERIM_INTERVAL, 0};
	struct rad_it it = {.rest = o->attrs};
	struct rad_attr a;
	struct sv v;
	while (rad_next(&it, &a)) {
		if (!a.vendor && a.type == RAD_SERVICE_TYPE)
			return ERR_UNSUPPORTED_SERVICE;
		bool is_known = !a.vendor && a.type && strchr((const char *)ids, a.type);
		if (!is_known && !o->is_disconnect)
			is_known = (!a.vendor && a.type && strchr((const char *)changes, a.type)) || is_in_reply(&a);
		if (!is_known)
			return ERR_UNSUPPORTED_ATTRIBUTE;
	}
	if (!is_nas_us(o->attrs))
		return ERR_NAS_MISMATCH;
	if (!rad_find(o->attrs, 0, RAD_ACCT_SESSION_ID, &v) && !rad_find(o->attrs, 0, RAD_ACCT_MULTI_SESSION_ID, &v))
		return ERR_MISSING_ATTRIBUTE;
	return v.n ? ERR_NONE : ERR_INVALID_REQUEST;
}

/* Is it of now, and can it not have been here before? */
static ON_CTL enum error_cause time_check(struct sv attrs, uint32_t *stamp_s)
{
	int64_t now_s = clock_wall_us() / 1000000, off_s;
	if (!rad_find_u32(attrs, 0, RAD_EVENT_TIMESTAMP, stamp_s)) {
		*stamp_s = (uint32_t)now_s;
		return rad_conf.needs_timestamp ? ERR_MISSING_ATTRIBUTE : ERR_NONE;
	}
	off_s = now_s - (int64_t)*stamp_s;
	return (off_s < 0 ? -off_s : off_s) > (int64_t)rad_conf.window_s || *stamp_s <= floor_s ? ERR_INVALID_REQUEST
	                                                                                        : ERR_NONE;
}

/* ---- answers -------------------------------------------------------------------------------------------------- */
static void seen_free(void *p)
{
	mem_free(p);
}

static ON_CTL void seen_keep(struct sv key, uint32_t stamp_s, const uint8_t *answer, size_t n)
{
	struct hash_it it = {0};
	struct seen *s = mem_zalloc(sizeof(*s) + n);
	if (!s) {
		floor_s = stamp_s > floor_s ? stamp_s : floor_s; /* what is not remembered must not work again */
		return;
	}
	s->stamp_s = stamp_s;
	s->n = n;
	memcpy(s->answer, answer, n);
	if (hash_count(seen) >= SEEN_MAX && hash_next(seen, &it)) {
		const struct seen *oldest = it.value;
		if (oldest->stamp_s > floor_s)
			floor_s = oldest->stamp_s;
		(void)hash_del(seen, it.key);
	}
	if (hash_set(seen, key, s))
		mem_free(s);
}

static ON_CTL void answer(const struct rad_packet *request, const struct rad_client *c, enum error_cause err,
    struct sv key, uint32_t stamp_s, const struct addr *to)
{
	uint8_t packet[RAD_PACKET_MAX_BYTES];
	uint8_t code = (uint8_t)(request->code + (err ? 2 : 1));
	struct rad_it it = {.rest = request->attrs};
	struct rad_attr a;
	struct buf attrs;
	size_t n = 0;
	buf_init(&attrs);
	while (rad_next(&it, &a))
		if (!a.vendor && a.type == RAD_PROXY_STATE && attrs.n + a.value.n <= PROXY_STATE_MAX_BYTES)
			(void)rad_put(&attrs, a.type, a.value);
	if (err)
		(void)rad_put_u32(&attrs, RAD_ERROR_CAUSE, (uint32_t)err);
	if (!rad_answer_make(packet, &n, code, request->id, request->authenticator, buf_sv(&attrs), sv_of(c->secret))) {
		seen_keep(key, stamp_s, packet, n);
		(void)udp_send(udp, to, packet, n);
	}
	buf_fini(&attrs);
}

/* ---- coming in ------------------------------------------------------------------------------------------------ */
static ON_CTL struct rad_client *client_of(const struct addr *src)
{
	for (size_t i = 0; i < rad_conf.client_count; i++)
		if (addr_in_cidr(src, sv_of(rad_conf.clients[i].cidr)) == 1)
			return &rad_conf.clients[i];
	return NULL;
}

static ON_CTL bool is_proved(struct rad_client *c, const struct rad_packet *p)
{
	enum rad_proof proof = rad_request_check(p, sv_of(c->secret));
	if (proof == RAD_PROVED || (proof == RAD_PROVED_WEAKLY && !c->needs_message_authenticator))
		return true;
	counts.forged++;
	c->refused++;
	if (!is_forged_told)
		log_error(
		    "radius: a request of client %s is not proved by its secret%s; told once until a right one comes",
		    c->name, proof == RAD_PROVED_WEAKLY ? " and a Message-Authenticator" : "");
	is_forged_told = true;
	return false;
}

static ON_CTL enum error_cause request_do(struct order *o, uint32_t *stamp_s)
{
	enum error_cause err = time_check(o->attrs, stamp_s);
	if (err) {
		counts.late++;
		return err;
	}
	if (!(err = attrs_check(o))) {
		order_do(o);
		err = o->done_count ? ERR_NONE : ERR_NO_CONTEXT;
	}
	return err;
}

static void on_datagram(const char *data, size_t n, const struct addr *src, void *arg)
{
	struct rad_client *c;
	struct rad_packet p;
	const struct seen *before;
	uint32_t stamp_s = 0;
	char key[RAD_AUTH_BYTES + 17];
	role_assert_ctl();
	if (!(c = client_of(src))) {
		char host[ADDR_TEXT_MAX];
		counts.strangers++;
		if (!is_stranger_told)
			log_warning("radius: %s is no client that may send requests; others like it are counted only",
			    addr_host(src, host));
		is_stranger_told = true;
		return;
	}
	if (rad_parse(&p, data, n) || (p.code != RAD_DISCONNECT_REQUEST && p.code != RAD_COA_REQUEST)) {
		counts.forged++;
		return;
	}
	if (!is_proved(c, &p))
		return;
	is_forged_told = false;
	struct sv host = addr_host_key(src);
	memcpy(key, p.authenticator, RAD_AUTH_BYTES);
	key[RAD_AUTH_BYTES] = (char)p.id;
	size_t host_n = host.n < 16 ? host.n : 16;
	memcpy(key + RAD_AUTH_BYTES + 1, host.p, host_n);
	struct sv k = {key, RAD_AUTH_BYTES + 1 + host_n};
	if ((before = hash_get(seen, k))) {
		counts.repeated++;
		(void)udp_send(udp, src, before->answer, before->n);
		return;
	}
	struct order o = {.attrs = p.attrs, .is_disconnect = p.code == RAD_DISCONNECT_REQUEST, .client = c->name};
	enum error_cause err = request_do(&o, &stamp_s);
	c->asked++;
	*(o.is_disconnect ? &counts.disconnects : &counts.changes) += 1;
	*(err ? &counts.naked : &counts.acked) += 1;
	*(err ? &c->naked : &c->acked) += 1;
	answer(&p, c, err, k, stamp_s, src);
}

int rad_dae_start(void)
{
	struct addr bind;
	if (!rad_conf.coa_port)
		return ST_OK;
	if (addr_parse(&bind, sv_of(rad_conf.coa_ip), (uint16_t)rad_conf.coa_port)) {
		log_error("radius: coa-ip \"%s\" is no address", rad_conf.coa_ip);
		return ST_INVAL;
	}
	if (!rad_conf.client_count)
		log_warning("radius: coa-port is open, but there is no client that may send to it");
	/* nothing of before this start is taken: what was seen then is not remembered */
	floor_s = (uint32_t)(clock_wall_us() / 1000000) - 1;
	int st = hash_new(&seen, 0, seen_free);
	if (!st)
		st = udp_open(&udp, &bind, 1 << 18, on_datagram, NULL);
	if (st)
		rad_dae_stop();
	return st;
}

void rad_dae_stop(void)
{
	udp_close(udp);
	udp = NULL;
	hash_free(seen);
	seen = NULL;
	memset(&counts, 0, sizeof(counts));
	is_forged_told = is_stranger_told = false;
}

void rad_dae_counts_get(struct rad_dae_counts *out)
{
	*out = counts;
}
