package io.leapnbd.nbd.protocol;

/** The handshake phase: magic numbers, flags, options and the replies to them ("Fixed newstyle negotiation"). */
public final class Negotiation {

    /** First eight bytes from a server: {@code NBDMAGIC}. */
    public static final long GREETING_MAGIC = 0x4e42444d41474943L;

    /** Second eight bytes from a newstyle server and the start of every option: {@code IHAVEOPT}. */
    public static final long OPTION_MAGIC = 0x49484156454F5054L;

    /** Start of every reply to an option. */
    public static final long OPTION_REPLY_MAGIC = 0x3e889045565a9L;

    /** Bytes of a server's greeting: two magic numbers and the handshake flags. */
    public static final int GREETING_SIZE = 18;

    /** Bytes of an option's header: magic, option, data length. */
    public static final int OPTION_HEADER_SIZE = 16;

    /** Bytes of an option reply's header: magic, option, type, data length. */
    public static final int OPTION_REPLY_HEADER_SIZE = 20;

    /** Zeros that follow the reply to {@link #OPT_EXPORT_NAME} unless both sides agreed to leave them out. */
    public static final int EXPORT_NAME_PADDING = 124;

    /** Handshake and client flag: options other than {@link #OPT_EXPORT_NAME} are understood. */
    public static final int FLAG_FIXED_NEWSTYLE = 1;

    /** Handshake and client flag: {@link #EXPORT_NAME_PADDING} is left out. */
    public static final int FLAG_NO_ZEROES = 1 << 1;

    public static final int OPT_EXPORT_NAME = 1;
    public static final int OPT_ABORT = 2;
    public static final int OPT_LIST = 3;
    public static final int OPT_STARTTLS = 5;
    public static final int OPT_INFO = 6;
    public static final int OPT_GO = 7;
    public static final int OPT_STRUCTURED_REPLY = 8;
    public static final int OPT_LIST_META_CONTEXT = 9;
    public static final int OPT_SET_META_CONTEXT = 10;

    public static final int REP_ACK = 1;
    public static final int REP_SERVER = 2;
    public static final int REP_INFO = 3;
    public static final int REP_META_CONTEXT = 4;

    /** Bit that all error replies have set. */
    public static final int REP_ERROR = 1 << 31;

    public static final int REP_ERR_UNSUP = REP_ERROR | 1;
    public static final int REP_ERR_POLICY = REP_ERROR | 2;
    public static final int REP_ERR_INVALID = REP_ERROR | 3;
    public static final int REP_ERR_PLATFORM = REP_ERROR | 4;
    public static final int REP_ERR_TLS_REQD = REP_ERROR | 5;
    public static final int REP_ERR_UNKNOWN = REP_ERROR | 6;
    public static final int REP_ERR_SHUTDOWN = REP_ERROR | 7;
    public static final int REP_ERR_BLOCK_SIZE_REQD = REP_ERROR | 8;
    public static final int REP_ERR_TOO_BIG = REP_ERROR | 9;

    public static final int INFO_EXPORT = 0;
    public static final int INFO_NAME = 1;
    public static final int INFO_DESCRIPTION = 2;
    public static final int INFO_BLOCK_SIZE = 3;

    /** The only metadata context that the protocol defines ("The base: metadata namespace"). */
    public static final String BASE_ALLOCATION = "base:allocation";

    /** Longest string of the protocol in bytes ("Conventions"). */
    public static final int MAX_STRING = 4096;

    private Negotiation() {}
}
