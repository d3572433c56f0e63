/* Signatures against those that the services' documents show, or (version 4 without a signed payload, Azure) that
 * another implementation made (Python's hmac). */
#include "harness.h"
#include "httpcache/sign.h"

#include <string.h>

static const struct sign_account aws = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", NULL};

static int test_v2(void)
{
	/* "Signing and authenticating REST requests": object GET, object PUT, and one by path */
	static const struct {
		struct sign_request r;
		const char *line;
	} rows[] = {
	    {{"GET", "http://johnsmith.s3.amazonaws.com/photos/puppy.jpg", "", 0, 1175024202},
	        "Date: Tue, 27 Mar 2007 19:36:42 GMT\r\nAuthorization: AWS "
	        "AKIAIOSFODNN7EXAMPLE:l5OyHwmFwM1eA82pf/bAJD+zbsk=\r\n"},
	    {{"PUT", "https://johnsmith.s3.amazonaws.com:443/photos/puppy.jpg", "image/jpeg", 94328, 1175024475},
	        "Date: Tue, 27 Mar 2007 19:41:15 GMT\r\nAuthorization: AWS "
	        "AKIAIOSFODNN7EXAMPLE:POvGDXP+I5Km1R4xqMXSQGGJkRU=\r\n"},
	    {{"GET", "http://s3.amazonaws.com/johnsmith/photos/puppy.jpg?x=y", "", 0, 1175024202},
	        "Date: Tue, 27 Mar 2007 19:36:42 GMT\r\nAuthorization: AWS "
	        "AKIAIOSFODNN7EXAMPLE:l5OyHwmFwM1eA82pf/bAJD+zbsk=\r\n"},
	};
	struct buf out;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&out);
		EXPECT_INT(sign_aws_v2(&out, &aws, &rows[i].r), ST_OK);
		EXPECT_STR(out.p, rows[i].line);
		buf_fini(&out);
	}
	return 0;
}

static int test_v4(void)
{
	static const struct {
		struct sign_request r;
		const char *signature;
	} rows[] = {
	    {{"PUT", "https://examplebucket.s3.amazonaws.com/a%20b/c$d.wav", "audio/wav", 7, 1369353600},
	        "98ad3df3be8270666c2d08de8f3b459ff040e367e9a61b5318a81adc0db23171"},
	    {{"GET", "http://host.example:8080?prefix=J&max-keys=2#x", "", 0, 1369353600},
	        "14008dc81bc7b09ffc647abc2c7ac6b315ef13d5a515cf55d3ec097cea77b545"},
	};
	struct buf out, want;
	buf_init(&want);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&out);
		EXPECT_INT(sign_aws_v4(&out, &aws, &rows[i].r), ST_OK);
		buf_clear(&want);
		buf_printf(&want,
		    "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: 20130524T000000Z\r\nAuthorization: "
		    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
		    "host;x-amz-content-sha256;x-amz-date,Signature=%s\r\n",
		    rows[i].signature);
		EXPECT_STR(out.p, want.p);
		buf_fini(&out);
	}
	buf_fini(&want);
	return 0;
}

static int test_azure(void)
{
	struct sign_account a = {
	    .secret = "kOOY4Y/sqZU9bsLjmN+9McVwTry+UIn1Owt4Zs/2S2FQT0eAWLKskZ0V6/gGFqCAKVvwXoGjqUn7PNbVjhZiNA=="};
	struct sign_request put = {"PUT", "https://account.blob.core.windows.net/c/a.wav", "audio/wav", 1234,
	                        1369353600},
	                    get = {"GET", "https://account.blob.example/c/a.wav", "", 0, 1369353600};
	struct buf out;
	buf_init(&out);
	EXPECT_INT(sign_azure(&out, &a, &put), ST_OK);
	EXPECT_STR(out.p,
	    "x-ms-blob-type: BlockBlob\r\nx-ms-date: Fri, 24 May 2013 00:00:00 GMT\r\nx-ms-version: 2019-12-12\r\n"
	    "Authorization: SharedKey account:xZzpifLD+Jkh5VWAVNFHX4yqWkSHd5Qnl//FfaPBYGk=\r\n");
	a.base_domain = "blob.example";
	buf_clear(&out);
	EXPECT_INT(sign_azure(&out, &a, &get), ST_OK);
	EXPECT_STR(out.p, "x-ms-date: Fri, 24 May 2013 00:00:00 GMT\r\nx-ms-version: 2019-12-12\r\n"
	                  "Authorization: SharedKey account:J5Qj0L0pg81WU0E+pVcyq8LcbWGPCcVAG9RJ5v9epls=\r\n");
	a.secret = "no base64!";
	buf_clear(&out);
	EXPECT_INT(sign_azure(&out, &a, &get), ST_INVAL);
	EXPECT_INT(sign_aws_v4(&out, &aws, &(struct sign_request){"GET", "file:///x", "", 0, 0}), ST_INVAL);
	EXPECT_INT(out.n, 0);
	buf_fini(&out);
	return 0;
}

TEST_MAIN({"s3, version 2", test_v2}, {"s3, version 4", test_v4}, {"azure", test_azure})
