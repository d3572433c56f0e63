/* Browsers' calls as load: SIP by UDP, one ICE candidate, DTLS-SRTP (bench_dtls_calls). Times are monotonic
 * microseconds. */
#pragma once
#include "load.h"
#include <openssl/ssl.h>

enum { DTLS_CALLS_MAX = 16384, STUN_MAX = 300, DTLS_TOOK_MAX = 100000 };
enum dtls_phase { D_FREE, D_INVITE, D_CHECK, D_SHAKE, D_UP, D_BYE };
struct dtls_call {
	enum dtls_phase phase;
	uint32_t gen;
	int fd; /* media; connected once the answer tells where */
	uint16_t port;
	SSL *ssl;
	BIO *in, *out;
	int64_t begin_us, sent_us, end_us; /* scheduled; last tried; when to hang up */
	unsigned tries;
	char to_tag[80], contact[160], user[80], password[64]; /* the switch's */
};
struct dtls_counts {
	uint64_t started, answered, shaken, ok, failed, again;
	uint64_t codes[CODE_MAX];
	unsigned under_way, up;
	uint32_t took_us[DTLS_TOOK_MAX]; /* of each set-up, from the moment the schedule wanted it */
};
extern struct dtls_counts dtls_counts;
extern struct dtls_call dtls_calls[DTLS_CALLS_MAX];
extern int dtls_epoll, dtls_sip_fd;
extern int64_t dtls_hold_us; /* < 0: until told */

/* dtls_ice.c: a check; an answer to one, 0: n bytes are no request (is_ours: they are an answer). STUN_MAX bytes. */
int ice_check(uint8_t *p, uint32_t number, const char *user, const char *password);
int ice_answer(
    uint8_t *out, const uint8_t *in, int n, const struct sockaddr_in *from, const char *password, bool *is_ours);

/* dtls_call.c */
bool dtls_calls_init(const struct sockaddr_in *to, const char *number);
void dtls_call_start(int64_t due_us);
void dtls_call_sip(const char *p, size_t n);
void dtls_call_media(unsigned i);
void dtls_calls_timers(void); /* about every 20 ms */
void dtls_calls_hang_up(void);
