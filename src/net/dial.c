/* A socket, and on it TLS by OpenSSL's own socket BIO (DTLS: its BIO of datagrams). OpenSSL's calls say what they wait
 * for; a plain socket waits for what it does. The certificate is checked by OpenSSL within the handshake, the name with
 * it. */
#include "net/dial.h"
#include "base/mem.h"
#include "net/sock_i.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { DATAGRAM_MTU = 1200 /* of a handshake */ };

struct dial_trust {
	SSL_CTX *ctx;
	bool is_datagram;
};
struct dial_conn {
	int fd;
	SSL *ssl; /* NULL: plain */
	struct dial_trust *trust;
	bool is_connected, is_open;
	char error[DIAL_ERROR_MAX];
};

static void trust_free(void *obj)
{
	SSL_CTX_free(((struct dial_trust *)obj)->ctx);
}

static int trust_new(struct dial_trust **out, const char *ca_path, bool is_datagram)
{
	struct stat st;
	struct dial_trust *t = mem_new_atomic(sizeof(*t), trust_free, "net.dial_trust");
	if (!t)
		return ST_NOMEM;
	t->is_datagram = is_datagram;
	t->ctx = SSL_CTX_new(is_datagram ? DTLS_client_method() : TLS_client_method());
	int is_good = t->ctx && SSL_CTX_set_min_proto_version(t->ctx, is_datagram ? DTLS1_2_VERSION : TLS1_2_VERSION);
	if (is_good && ca_path)
		is_good =
		    !stat(ca_path, &st) && SSL_CTX_load_verify_locations(t->ctx, S_ISDIR(st.st_mode) ? NULL : ca_path,
		                               S_ISDIR(st.st_mode) ? ca_path : NULL);
	else if (is_good)
		is_good = SSL_CTX_set_default_verify_paths(t->ctx);
	ERR_clear_error();
	if (!is_good) {
		mem_unref(t);
		return ST_IO;
	}
	SSL_CTX_set_mode(
	    t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (is_datagram)
		SSL_CTX_set_options(t->ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION);
	*out = t;
	return ST_OK;
}

int dial_trust_new(struct dial_trust **out, const char *ca_path)
{
	return trust_new(out, ca_path, false);
}

int dial_trust_datagram_new(struct dial_trust **out, const char *ca_path)
{
	return trust_new(out, ca_path, true);
}

int dial_trust_own(struct dial_trust *t, const char *cert_path, const char *key_path)
{
	int is_good = SSL_CTX_use_certificate_chain_file(t->ctx, cert_path) == 1 &&
	              SSL_CTX_use_PrivateKey_file(t->ctx, key_path, SSL_FILETYPE_PEM) == 1 &&
	              SSL_CTX_check_private_key(t->ctx) == 1;
	ERR_clear_error();
	return is_good ? ST_OK : ST_IO;
}

static void fail(struct dial_conn *c, const char *what, const char *why)
{
	if (!c->error[0])
		snprintf(c->error, sizeof(c->error), "%s: %s", what, why);
}

static void fail_tls(struct dial_conn *c, const char *what)
{
	unsigned long e = ERR_get_error();
	long verdict = c->ssl ? SSL_get_verify_result(c->ssl) : X509_V_OK;
	fail(c, what,
	    verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
	    : e                  ? ERR_reason_error_string(e)
	                         : "the connection broke");
	ERR_clear_error();
}

static bool datagrams_set(struct dial_conn *c)
{
	BIO *b = BIO_new_dgram(c->fd, BIO_NOCLOSE);
	struct addr peer;
	socklen_t n = sizeof(peer);

	if (!b || getpeername(c->fd, &peer.sa, &n)) {
		BIO_free(b);
		return false;
	}
	(void)BIO_ctrl_set_connected(b, &peer.sa); /* a BIO_ADDR is this union */
	SSL_set_bio(c->ssl, b, b);
	return SSL_set_mtu(c->ssl, DATAGRAM_MTU) > 0;
}

static bool ssl_begin(struct dial_conn *c, const char *host, unsigned skips)
{
	struct addr a;
	bool is_name = addr_parse(&a, sv_of(host), 0) != ST_OK;
	c->ssl = SSL_new(c->trust->ctx);
	if (!c->ssl || !(c->trust->is_datagram ? datagrams_set(c) : SSL_set_fd(c->ssl, c->fd)))
		return false;
	SSL_set_connect_state(c->ssl);
	if (is_name && !SSL_set_tlsext_host_name(c->ssl, host))
		return false;
	if (skips & DIAL_SKIPS_ALL)
		return true;
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	if (skips & DIAL_SKIPS_TIME)
		(void)X509_VERIFY_PARAM_set_flags(SSL_get0_param(c->ssl), X509_V_FLAG_NO_CHECK_TIME);
	if (skips & DIAL_SKIPS_NAME)
		return true;
	return (is_name ? SSL_set1_host(c->ssl, host) : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host)) ==
	       1;
}

int dial_open(struct dial_conn **out, const struct addr *from, const struct addr *to, const struct dial_trust *trust,
    const char *host, unsigned skips)
{
	struct dial_conn *c = mem_zalloc(sizeof(*c));
	int one = 1;
	if (!c)
		return ST_NOMEM;
	bool is_datagram = trust && trust->is_datagram;
	c->fd = socket(to->sa.sa_family, (is_datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		mem_free(c);
		return ST_IO;
	}
	if (!is_datagram)
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->trust = mem_ref((struct dial_trust *)trust);
	if ((from && bind(c->fd, &from->sa, addr_len(from))) ||
	    (connect(c->fd, &to->sa, addr_len(to)) && errno != EINPROGRESS) || (trust && !ssl_begin(c, host, skips))) {
		ERR_clear_error();
		dial_close(c);
		return ST_IO;
	}
	*out = c;
	return ST_OK;
}

int dial_fd(const struct dial_conn *c)
{
	return c->fd;
}

bool dial_is_datagram(const struct dial_conn *c)
{
	return c->trust && c->trust->is_datagram;
}

int64_t dial_due_us(const struct dial_conn *c)
{
	struct timeval left;
	if (!dial_is_datagram(c) || c->is_open || DTLSv1_get_timeout(c->ssl, &left) != 1)
		return -1;
	return (int64_t)left.tv_sec * 1000000 + left.tv_usec;
}

void dial_keep(struct dial_conn *c)
{
	if (c->ssl)
		SSL_clear_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
}

bool dial_has_more(const struct dial_conn *c)
{
	return c->ssl && SSL_pending(c->ssl) > 0;
}

const char *dial_error(const struct dial_conn *c)
{
	return c->error[0] ? c->error : "the connection broke";
}

/* Before a call whose failure ssl_status is to understand. */
static void ssl_ready(void)
{
	ERR_clear_error();
	errno = 0;
}

/* What OpenSSL says after a call that did not succeed. */
static int ssl_status(struct dial_conn *c, int ret, unsigned *want, const char *what)
{
	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		*want = DIAL_READ;
		return ST_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		*want = DIAL_WRITE;
		return ST_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return ST_CLOSED;
	case SSL_ERROR_SYSCALL:
		/* an empty datagram, or an ICMP error: anybody can send one, and it is the end of nothing that stands
		 */
		if (dial_is_datagram(c) && !ERR_peek_error() && (!errno || c->is_open)) {
			*want = DIAL_READ;
			return ST_AGAIN;
		}
		fail_tls(c, what);
		return ST_IO;
	default:
		fail_tls(c, what);
		return ST_IO;
	}
}

static int connected(struct dial_conn *c, unsigned *want)
{
	int error = 0;
	struct addr peer;
	socklen_t n = sizeof(error), peer_n = sizeof(peer);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) || error) {
		fail(c, "connect", strerror(error ? error : errno));
		return ST_IO;
	}
	if (getpeername(c->fd, &peer.sa, &peer_n)) { /* not yet */
		*want = DIAL_WRITE;
		return ST_AGAIN;
	}
	c->is_connected = true;
	return ST_OK;
}

int dial_step(struct dial_conn *c, unsigned *want)
{
	int st = c->is_connected ? ST_OK : connected(c, want);
	if (st || !c->ssl || c->is_open)
		return st;
	ssl_ready();
	if (dial_due_us(c) == 0)
		(void)DTLSv1_handle_timeout(c->ssl);
	int ret = SSL_do_handshake(c->ssl);
	if (ret != 1)
		return ssl_status(c, ret, want, "TLS");
	c->is_open = true;
	return ST_OK;
}

static int sock_status(struct dial_conn *c, ssize_t n, unsigned event, unsigned *want)
{
	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		*want = event;
		return ST_AGAIN;
	}
	fail(c, event == DIAL_READ ? "read" : "write", strerror(errno));
	return ST_IO;
}

int dial_read(struct dial_conn *c, void *p, size_t n, unsigned *want)
{
	if (!c->ssl) {
		ssize_t got = recv(c->fd, p, n, 0);
		return got == 0 ? ST_CLOSED : sock_status(c, got, DIAL_READ, want);
	}
	ssl_ready();
	int got = SSL_read(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
	return got > 0 ? got : ssl_status(c, got, want, "read");
}

int dial_write(struct dial_conn *c, const void *p, size_t n, unsigned *want)
{
	if (!c->ssl)
		return sock_status(c, send(c->fd, p, n, MSG_NOSIGNAL), DIAL_WRITE, want);
	ssl_ready();
	int put = SSL_write(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
	return put > 0 ? put : ssl_status(c, put, want, "write");
}

void dial_close(struct dial_conn *c)
{
	if (!c)
		return;
	if (c->ssl && c->is_open)
		(void)SSL_shutdown(c->ssl); /* a goodbye, if there is room for it */
	ERR_clear_error();
	SSL_free(c->ssl);
	close(c->fd);
	mem_unref(c->trust);
	mem_free(c);
}
