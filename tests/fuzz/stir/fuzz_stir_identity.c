/* Any bytes as an Identity header and as a token: what parses keeps its bounds, and nobody's key has signed it; signed
 * anew by a key of ours it says the same, and its certificate proves it.
 * Parser: stir/identity.c, stir/passport.c */
#include "base/check.h"
#include "base/mem.h"
#include "stir/stir.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key_pem[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIIj1Fe8E/wQ3q3Kx2X5pC/BaCXsuNLnuAGOzdKwXyAxBoAoGCCqGSM49\n"
    "AwEHoUQDQgAEg+8c967IrLBj3boD7vMTRx4mDvgCrDt1tgDOml1YU8q3WS1IYZGQ\n"
    "0jeTN8enKb0IQ2pSCsR+BUSmuw/j9F30Wg==\n"
    "-----END EC PRIVATE KEY-----\n"; /* made for this file, and known to everybody who reads it */
static const char cert_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBsjCCAVigAwIBAgIUVtO5wGU5P7JqYjMe/Rmj0sDOhAYwCgYIKoZIzj0EAwIw\n"
                               "DzENMAsGA1UEAwwEUm9vdDAgFw0yNjExMjYyMjIwMTlaGA8yMTI2MTEwMjIyMjAx\n"
                               "OVowDzENMAsGA1UEAwwETGVhZjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIPv\n"
                               "HPeuyKywY926A+7zE0ceJg74Aqw7dbYAzppdWFPKt1ktSGGRkNI3kzfHpym9CENq\n"
                               "UgrEfgVEprsP4/Rd9FqjgY8wgYwwDAYDVR0TAQH/BAIwADA8BggrBgEFBQcBGgEB\n"
                               "/wQtMCugBhYENzA5SqESMBAWCzEyMTU1NTUwMTAwAgEKog0WCzEyMTU1NTUwMTk5\n"
                               "MB0GA1UdDgQWBBTp5EJyQeo9vWSnujWlhNANc+gsmjAfBgNVHSMEGDAWgBSitY2V\n"
                               "ZiGdOieTPLfQ96Pke911KzAKBggqhkjOPQQDAgNIADBFAiEAkKhTUwXLCZIyU1ay\n"
                               "abg/iSoc68E9pEQSPSCZ+CO5VawCIC5BdPcfmYWq7q1IN6jMuA28K/iQ38x5kEnL\n"
                               "qVB+JJaq\n"
                               "-----END CERTIFICATE-----\n";
static struct stir_key *key;
static struct stir_cert *cert;

static void signed_anew(const struct stir_passport *p)
{
	struct stir_claims c = {.attest = p->attest,
	    .orig = p->orig,
	    .dest = p->dests[0],
	    .origid = p->origid,
	    .url = p->url,
	    .iat_s = p->iat_s};
	struct stir_identity id;
	struct stir_passport back;
	struct buf b;
	buf_init(&b);
	CHECK(!stir_identity_make(&b, &c, key));
	/* what stands in the URL may end the header's parameter, but not its token */
	struct sv token, rest;
	sv_split(buf_sv(&b), ';', &token, &rest);
	CHECK(stir_identity_parse(&id, buf_sv(&b)) || sv_eq(id.token, token));
	CHECK(!stir_passport_parse(&back, token, NULL) && !stir_passport_verify(&back, cert));
	CHECK(back.kind == STIR_SHAKEN && back.iat_s == p->iat_s && back.attest == p->attest);
	CHECK(!strcmp(back.orig, p->orig) && !strcmp(back.dests[0], p->dests[0]));
	CHECK(!strcmp(back.url, p->url) && !strcmp(back.origid, p->origid));
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	struct stir_identity id;
	struct stir_passport p;
	char error[STIR_ERROR_CHARS], number[STIR_TN_MAX];
	if (!key)
		CHECK(!stir_key_parse(&key, SV(key_pem), error) && !stir_cert_parse(&cert, SV(cert_pem), error));
	if (!stir_identity_parse(&id, text))
		text = id.token;
	if (!stir_passport_parse(&p, text, error)) {
		CHECK(p.dest_count > 0 && p.dest_count <= STIR_DESTS_MAX && strlen(p.url) < STIR_URL_MAX);
		CHECK(p.kind != STIR_SHAKEN || strchr("ABC", p.attest));
		CHECK(stir_passport_verify(&p, cert) == ST_DENIED);
		stir_number(sv_of(p.orig), number);
		if (p.kind == STIR_SHAKEN)
			signed_anew(&p);
	}
	if (stir_number((struct sv){(const char *)data, size}, number))
		CHECK(strlen(number) < STIR_TN_MAX && strspn(number, "0123456789*#") == strlen(number));
	return 0;
}
