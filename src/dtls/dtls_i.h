/* Private: what an association asks of our certificate. */
#pragma once
#include "dtls/dtls.h"

struct ssl_ctx_st;
ANY struct ssl_ctx_st *ident_ctx(const struct dtls_ident *i);
/* The far side's certificate came: whether it is one that was told. arg is what SSL_set_ex_data(ident_ex()) put. */
ANY int ident_ex(void);
ANY bool dtls_cert_fits(struct dtls *d, const uint8_t *der, size_t n);
