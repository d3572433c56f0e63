/* SRV and NAPTR records of an answer packet (RFC 2782, RFC 3403) as struct dns_record. c-ares reads them; what it does
 * not tell, for how long they hold, is read from the packet here. Names become lower case, and one that is no host name
 * (labels of letters, digits, '-' and '_') is left out: it is never asked for. What does not fit is left out too. */
#include "base/rand.h"
#include "net/dns_i.h"
#include <arpa/nameser.h>
#include <string.h>

const char *dns_record_name(const struct dns_answer *a, const struct dns_record *r)
{
	return a->text + r->name_at;
}

const char *dns_record_service(const struct dns_answer *a, const struct dns_record *r)
{
	return a->text + r->service_at;
}

const char *dns_record_regexp(const struct dns_answer *a, const struct dns_record *r)
{
	return a->text + r->regexp_at;
}

void dns_srv_sort(struct dns_answer *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct dns_record *r = a->records, t;
		uint16_t priority = r[i].first;
		unsigned sum = 0;
		for (size_t k = i + 1; k < a->count; k++)
			priority = r[k].first < priority ? r[k].first : priority;
		for (size_t k = i; k < a->count; k++)
			sum += r[k].first == priority ? r[k].second * 100u + 1 : 0;
		unsigned draw = rand_below(sum);
		size_t k = i;
		for (;; k++) {
			unsigned weight = r[k].first == priority ? r[k].second * 100u + 1 : 0;
			if (draw < weight)
				break;
			draw -= weight;
		}
		t = r[i], r[i] = r[k], r[k] = t;
	}
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++) {
		char ch = (char)(s[i] | 32);
		bool is_digit = s[i] >= '0' && s[i] <= '9';
		if (!is_digit && !(ch >= 'a' && ch <= 'z') && s[i] != '-' && s[i] != '_' && s[i] != '.')
			return false;
	}
	return n <= DNS_NAME_MAX;
}

/* Into the answer's text. False: no room. */
static bool text_keep(struct dns_answer *a, const char *s, uint16_t *at)
{
	size_t n = strlen(s) + 1;
	if (n > sizeof(a->text) - a->text_n)
		return false;
	*at = (uint16_t)a->text_n;
	memcpy(a->text + a->text_n, s, n);
	a->text_n += n;
	return true;
}

/* The same in lower case. */
static bool text_add(struct dns_answer *a, const char *s, uint16_t *at)
{
	if (!text_keep(a, s, at))
		return false;
	for (char *c = a->text + *at; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 32 : *c);
	return true;
}

/* The least time that a record of the answer section holds. */
static void ttls_read(const unsigned char *p, int n, unsigned *ttl_s)
{
	const unsigned char *at = p + 12, *end = p + n;
	int questions = n < 12 ? 0 : p[4] << 8 | p[5], answers = n < 12 ? 0 : p[6] << 8 | p[7];
	for (int i = 0; i < questions + answers && at < end; i++) {
		char *name;
		long len;
		if (ares_expand_name(at, p, n, &name, &len))
			return;
		ares_free_string(name);
		at += len;
		if (i < questions) {
			at += 4;
			continue;
		}
		if (end - at < 10)
			return;
		dns_ttl_note(ttl_s, (int64_t)at[4] << 24 | at[5] << 16 | at[6] << 8 | at[7]);
		at += 10 + (at[8] << 8 | at[9]);
	}
}

static int srv_read(const unsigned char *p, int n, struct dns_answer *a)
{
	struct ares_srv_reply *list = NULL;
	int rc = ares_parse_srv_reply(p, n, &list);
	for (const struct ares_srv_reply *s = rc ? NULL : list; s && a->count < DNS_RECORDS_MAX; s = s->next) {
		struct dns_record r = {.first = s->priority, .second = s->weight, .port = s->port};
		if (is_name(s->host) && text_add(a, s->host, &r.name_at))
			a->records[a->count++] = r;
	}
	ares_free_data(list);
	return rc;
}

static int naptr_read(const unsigned char *p, int n, struct dns_answer *a)
{
	struct ares_naptr_reply *list = NULL;
	int rc = ares_parse_naptr_reply(p, n, &list);
	for (const struct ares_naptr_reply *s = rc ? NULL : list; s && a->count < DNS_RECORDS_MAX; s = s->next) {
		struct dns_record r = {.first = s->order, .second = s->preference};
		const char *flags = (const char *)s->flags, *service = (const char *)s->service;
		bool has_regexp = s->regexp && *s->regexp;
		if (flags[0] && flags[1])
			continue;
		r.flag = (char)(*flags >= 'A' && *flags <= 'Z' ? *flags | 32 : *flags);
		if (strlen(service) < 32 && is_name(s->replacement) && text_add(a, service, &r.service_at) &&
		    text_add(a, has_regexp ? "" : s->replacement, &r.name_at) &&
		    text_keep(a, has_regexp ? (const char *)s->regexp : "", &r.regexp_at))
			a->records[a->count++] = r;
	}
	ares_free_data(list);
	return rc;
}

int dns_service_read(enum dns_kind kind, const unsigned char *p, int n, struct dns_answer *a, unsigned *ttl_s)
{
	int rc = kind == DNS_SRV ? srv_read(p, n, a) : naptr_read(p, n, a);
	if (!rc)
		ttls_read(p, n, ttl_s);
	return rc;
}
