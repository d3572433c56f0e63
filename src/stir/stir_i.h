/* Private to the room: what keys and certificates are to OpenSSL. */
#pragma once
#include "stir/stir.h"
#include <openssl/x509.h>

struct stir_key {
	EVP_PKEY *pkey;
};
ANY EVP_PKEY *stir_cert_key(const struct stir_cert *c);
