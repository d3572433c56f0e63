/* A browser's call from offer to keys: INVITE with one candidate, actpass and a fingerprint -> 200 -> ACK and a check
 * with USE-CANDIDATE -> the switch, which is active, begins its handshake and we are the server -> done when our last
 * flight has gone -> BYE. The switch's certificate is asked for and believed: what it proves is not what is measured.
 * Whatever gets no answer is sent again after half a second, six times. */
#include "dtls_load.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { AGAIN_US = 500000, TRIES_MAX = 6, MTU = 1200 };
struct dtls_counts dtls_counts;
struct dtls_call dtls_calls[DTLS_CALLS_MAX];
int dtls_epoll, dtls_sip_fd;
int64_t dtls_hold_us;
static struct sockaddr_in sip_to;
static const char *dialled;
static uint16_t sip_port;
static SSL_CTX *ctx;
static char print_text[3 * 32 + 1];
static unsigned next_free;
static uint32_t run_id;

static int believe(int ok, X509_STORE_CTX *store)
{
	return 1;
}

static bool certificate_make(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	uint8_t digest[32];
	unsigned n = sizeof(digest);
	if (!key || !x)
		return false;
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"bench", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	if (!X509_sign(x, key, EVP_sha256()) || !X509_digest(x, EVP_sha256(), digest, &n))
		return false;
	for (unsigned i = 0; i < n; i++)
		snprintf(print_text + 3 * i, 4, "%02X%s", digest[i], i + 1 < n ? ":" : "");
	return SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;
}

bool dtls_calls_init(const struct sockaddr_in *to, const char *number)
{
	sip_to = *to, dialled = number;
	run_id = (uint32_t)getpid();
	dtls_sip_fd = wire_socket(&sip_port, false);
	ctx = SSL_CTX_new(DTLS_server_method());
	if (!ctx || !certificate_make() ||
	    SSL_CTX_set_tlsext_use_srtp(ctx, "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"))
		return false;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, believe);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	return true;
}

static void call_free(struct dtls_call *c)
{
	SSL_free(c->ssl); /* and its BIOs */
	if (c->fd >= 0)
		close(c->fd);
	dtls_counts.up -= c->phase == D_UP || c->phase == D_BYE;
	dtls_counts.under_way--;
	c->ssl = NULL, c->fd = -1, c->phase = D_FREE;
}

static void fail(struct dtls_call *c, int code)
{
	dtls_counts.failed++;
	dtls_counts.codes[code]++;
	call_free(c);
}

/* ---- SIP ---- */

static void request(struct dtls_call *c, const char *method, unsigned cseq, const char *uri, const char *body)
{
	char text[SENT_MAX + 600];
	unsigned i = (unsigned)(c - dtls_calls);
	int n = snprintf(text, sizeof(text),
	    "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%c%x-%x-%x;rport\r\nMax-Forwards: 70\r\n"
	    "From: <sip:browser@127.0.0.1>;tag=f%x-%x\r\nTo: <sip:%s@127.0.0.1>%s%s\r\nCall-ID: %x-%x-%x@dtls\r\n"
	    "CSeq: %u %s\r\nContact: <sip:browser@127.0.0.1:%u>\r\n%sContent-Length: %zu\r\n\r\n%s",
	    method, uri, sip_port, method[0], i, c->gen, run_id, i, c->gen, dialled, *c->to_tag ? ";tag=" : "",
	    c->to_tag, i, c->gen, run_id, cseq, method, sip_port, *body ? "Content-Type: application/sdp\r\n" : "",
	    strlen(body), body);
	wire_send(dtls_sip_fd, &sip_to, text, (size_t)n);
	c->sent_us = now_us;
}

static void invite_send(struct dtls_call *c)
{
	char body[900], uri[100];
	snprintf(body, sizeof(body),
	    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio %u UDP/TLS/RTP/SAVPF 0 "
	    "101\r\n"
	    "c=IN IP4 127.0.0.1\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\n"
	    "a=rtpmap:101 telephone-event/8000\r\na=ice-ufrag:b%04x\r\na=ice-pwd:benchbenchbenchbenchbench\r\n"
	    "a=candidate:1 1 udp 2130706431 127.0.0.1 %u typ host\r\na=end-of-candidates\r\n"
	    "a=fingerprint:sha-256 %s\r\na=setup:actpass\r\n",
	    c->port, (unsigned)(c - dtls_calls), c->port, print_text);
	snprintf(uri, sizeof(uri), "sip:%s@127.0.0.1:%u", dialled, ntohs(sip_to.sin_port));
	request(c, "INVITE", 1, uri, body);
}

void dtls_call_start(int64_t due_us)
{
	struct dtls_call *c = NULL;
	dtls_counts.started++;
	for (unsigned k = 0; k < DTLS_CALLS_MAX && !c; k++, next_free = (next_free + 1) % DTLS_CALLS_MAX)
		if (dtls_calls[next_free].phase == D_FREE)
			c = &dtls_calls[next_free];
	if (!c) {
		dtls_counts.failed++;
		return;
	}
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - dtls_calls)};
	*c = (struct dtls_call){.phase = D_INVITE, .gen = c->gen + 1, .begin_us = due_us};
	c->fd = wire_socket(&c->port, false);
	dtls_counts.under_way++;
	if (epoll_ctl(dtls_epoll, EPOLL_CTL_ADD, c->fd, &e)) {
		fail(c, 0);
		return;
	}
	invite_send(c);
}

static bool sdp_line(struct span body, const char *name, char *out, size_t size)
{
	const char *p = memmem(body.p, (size_t)body.n, name, strlen(name)), *end = body.p + body.n;
	size_t n = 0;
	if (!p)
		return false;
	for (p += strlen(name); p<end && * p> ' ' && n + 1 < size; p++)
		out[n++] = *p;
	out[n] = 0;
	return n > 0;
}

static void check_send(struct dtls_call *c)
{
	uint8_t p[STUN_MAX];
	int n = ice_check(p, c->gen, c->user, c->password);
	(void)!send(c->fd, p, (size_t)n, 0);
	c->sent_us = now_us;
}

static void answered(struct dtls_call *c, const struct message *m)
{
	struct span tag = span_param(m->to, "tag"), contact = span_uri(m->contact);
	struct sockaddr_in media;
	char frag[64], role[16];
	snprintf(c->to_tag, sizeof(c->to_tag), "%.*s", SPAN(tag));
	snprintf(c->contact, sizeof(c->contact), "%.*s", SPAN(contact));
	request(c, "ACK", 1, c->contact, "");
	dtls_counts.answered++;
	if (!sdp_media(m->body, &media) || !sdp_line(m->body, "a=ice-ufrag:", frag, sizeof(frag)) ||
	    !sdp_line(m->body, "a=ice-pwd:", c->password, sizeof(c->password)) ||
	    !sdp_line(m->body, "a=setup:", role, sizeof(role)) || strcmp(role, "active") ||
	    connect(c->fd, (struct sockaddr *)&media, sizeof(media)) || !(c->ssl = SSL_new(ctx))) {
		fail(c, 1);
		return;
	}
	c->in = BIO_new(BIO_s_mem()), c->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	DTLS_set_link_mtu(c->ssl, MTU + 28);
	SSL_set_accept_state(c->ssl);
	snprintf(c->user, sizeof(c->user), "%s:b%04x", frag, (unsigned)(c - dtls_calls));
	c->phase = D_CHECK;
	c->tries = 0;
	check_send(c);
}

static void bye(struct dtls_call *c)
{
	c->phase = D_BYE;
	c->tries = 0;
	request(c, "BYE", 2, c->contact, "");
}

static void response(struct dtls_call *c, const struct message *m)
{
	bool is_invite = m->cseq_method.n == 6 && !memcmp(m->cseq_method.p, "INVITE", 6);
	if (m->code < 200)
		return;
	if (is_invite && c->phase == D_INVITE && m->code < 300) {
		answered(c, m);
	} else if (is_invite && c->phase == D_INVITE) {
		char uri[100];
		snprintf(uri, sizeof(uri), "sip:%s@127.0.0.1:%u", dialled, ntohs(sip_to.sin_port));
		snprintf(c->to_tag, sizeof(c->to_tag), "%.*s", SPAN(span_param(m->to, "tag")));
		request(c, "ACK", 1, uri, "");
		fail(c, m->code);
	} else if (is_invite && m->code < 300) { /* our ACK was lost */
		request(c, "ACK", 1, c->contact, "");
	} else if (!is_invite && c->phase == D_BYE) {
		dtls_counts.ok += m->code < 300;
		if (m->code >= 300)
			fail(c, m->code);
		else
			call_free(c);
	}
}

static void ok_send(const struct message *m)
{
	char text[MSG_MAX];
	int n = snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n");
	for (int i = 0; i < m->via_count && n < 2000; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Via: %.*s\r\n", SPAN(m->vias[i]));
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "From: %.*s\r\nTo: %.*s\r\nCall-ID: %.*s\r\nCSeq: %u %.*s\r\nContent-Length: 0\r\n\r\n", SPAN(m->from),
	    SPAN(m->to), SPAN(m->call_id), m->cseq, SPAN(m->cseq_method));
	if (n < (int)sizeof(text))
		wire_send(dtls_sip_fd, &sip_to, text, (size_t)n);
}

void dtls_call_sip(const char *p, size_t n)
{
	struct message m;
	unsigned i, gen, run;
	char id[64];
	if (!message_parse(&m, p, n) || m.call_id.n >= (int)sizeof(id))
		return;
	snprintf(id, sizeof(id), "%.*s", SPAN(m.call_id));
	if (sscanf(id, "%x-%x-%x@dtls", &i, &gen, &run) != 3 || run != run_id || i >= DTLS_CALLS_MAX)
		return;
	struct dtls_call *c = &dtls_calls[i];
	if (!m.code)
		ok_send(&m);
	if (c->phase == D_FREE || c->gen != gen)
		return;
	if (m.code)
		response(c, &m);
	else if (m.method.n == 3 && !memcmp(m.method.p, "BYE", 3)) /* the switch hung up */
		fail(c, 2);
}

/* ---- DTLS ---- */

/* Records that are to go, as many in a datagram as fit. */
static void records_send(struct dtls_call *c)
{
	char *p;
	long left = BIO_get_mem_data(c->out, &p);
	for (long at = 0, end = 0; at < left; at = end) {
		while (end + 13 <= left) {
			long record = 13 + (((uint8_t)p[end + 11] << 8) | (uint8_t)p[end + 12]);
			if (end > at && end + record - at > MTU)
				break;
			end += record;
		}
		if (end <= at || end > left)
			break;
		(void)!send(c->fd, p + at, (size_t)(end - at), 0);
	}
	(void)BIO_reset(c->out);
}

static void shake(struct dtls_call *c)
{
	int n = SSL_do_handshake(c->ssl), e = SSL_get_error(c->ssl, n);
	records_send(c);
	if (n != 1 && e != SSL_ERROR_WANT_READ) {
		ERR_clear_error();
		fail(c, 3);
	} else if (n == 1) {
		if (!SSL_get_selected_srtp_profile(c->ssl)) {
			fail(c, 4);
			return;
		}
		if (dtls_counts.shaken < DTLS_TOOK_MAX)
			dtls_counts.took_us[dtls_counts.shaken] = (uint32_t)(clock_us() - c->begin_us);
		dtls_counts.shaken++;
		c->phase = D_UP;
		c->end_us = dtls_hold_us < 0 ? INT64_MAX : now_us + dtls_hold_us;
		dtls_counts.up++;
	}
}

void dtls_call_media(unsigned i)
{
	struct dtls_call *c = &dtls_calls[i];
	uint8_t p[2048], out[STUN_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	bool is_ours;
	if (c->phase == D_FREE)
		return;
	ssize_t n = recvfrom(c->fd, p, sizeof(p), 0, (struct sockaddr *)&from, &len);
	if (n <= 0)
		return;
	if (p[0] < 4) {
		int made = ice_answer(out, p, (int)n, &from, "benchbenchbenchbenchbench", &is_ours);
		if (made)
			(void)!sendto(c->fd, out, (size_t)made, 0, (struct sockaddr *)&from, len);
		if (is_ours && c->phase == D_CHECK)
			c->phase = D_SHAKE, c->sent_us = now_us, c->tries = 0;
	} else if (p[0] >= 20 && p[0] < 64 && (c->phase == D_CHECK || c->phase == D_SHAKE)) {
		c->phase = D_SHAKE;
		BIO_write(c->in, p, (int)n);
		c->sent_us = now_us;
		shake(c);
	}
}

/* ---- time ---- */

static void again(struct dtls_call *c)
{
	if (++c->tries > TRIES_MAX) {
		fail(c, 0);
		return;
	}
	dtls_counts.again++;
	switch (c->phase) {
	case D_INVITE:
		invite_send(c);
		break;
	case D_CHECK:
		check_send(c);
		break;
	case D_SHAKE:
		c->sent_us = now_us;
		if (DTLSv1_handle_timeout(c->ssl) > 0)
			records_send(c);
		break;
	case D_BYE:
		request(c, "BYE", 2, c->contact, "");
		break;
	default:
		break;
	}
}

void dtls_calls_timers(void)
{
	for (unsigned i = 0; i < DTLS_CALLS_MAX; i++) {
		struct dtls_call *c = &dtls_calls[i];
		if (c->phase == D_UP && c->end_us <= now_us)
			bye(c);
		else if (c->phase != D_FREE && c->phase != D_UP && now_us - c->sent_us >= AGAIN_US)
			again(c);
	}
}

void dtls_calls_hang_up(void)
{
	unsigned count = 0;
	dtls_hold_us = 0;
	for (unsigned i = 0; i < DTLS_CALLS_MAX; i++) /* spread over time */
		if (dtls_calls[i].phase == D_UP)
			dtls_calls[i].end_us = now_us + (int64_t)count++ * 2000;
}
