// SPDX-License-Identifier: BSD-3-Clause
// The reason phrases that the STUN error code registry recommends (RFC 8489 section 14.8, RFC 8656
// section 19, RFC 6062 section 6.3).
#include "proto/stun.h"

const char *stun_error_reason(unsigned error)
{
    switch (error) {
    case STUN_ERROR_TRY_ALTERNATE:
        return "Try Alternate";
    case STUN_ERROR_BAD_REQUEST:
        return "Bad Request";
    case STUN_ERROR_UNAUTHENTICATED:
        return "Unauthenticated";
    case STUN_ERROR_FORBIDDEN:
        return "Forbidden";
    case STUN_ERROR_UNKNOWN_ATTRIBUTE:
        return "Unknown Attribute";
    case STUN_ERROR_ALLOCATION_MISMATCH:
        return "Allocation Mismatch";
    case STUN_ERROR_STALE_NONCE:
        return "Stale Nonce";
    case STUN_ERROR_ADDRESS_FAMILY_NOT_SUPPORTED:
        return "Address Family not Supported";
    case STUN_ERROR_WRONG_CREDENTIALS:
        return "Wrong Credentials";
    case STUN_ERROR_UNSUPPORTED_TRANSPORT:
        return "Unsupported Transport Protocol";
    case STUN_ERROR_PEER_ADDRESS_FAMILY_MISMATCH:
        return "Peer Address Family Mismatch";
    case STUN_ERROR_CONNECTION_ALREADY_EXISTS:
        return "Connection Already Exists";
    case STUN_ERROR_CONNECTION_TIMEOUT_OR_FAILURE:
        return "Connection Timeout or Failure";
    case STUN_ERROR_ALLOCATION_QUOTA_REACHED:
        return "Allocation Quota Reached";
    case STUN_ERROR_SERVER_ERROR:
        return "Server Error";
    case STUN_ERROR_INSUFFICIENT_CAPACITY:
        return "Insufficient Capacity";
    default:
        return "Error";
    }
}
