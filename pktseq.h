// pktseq.h - learns what normal network conversations look like, and points at those that are not
/*
SYNOPSIS   In one C or C++ file of a project:

    #define PKTSEQ_IMPLEMENTATION
    #include "pktseq.h"

In all other files write only the #include. Link with -lm; add -fopenmp to use all cores. This
whole program learns from a capture of normal traffic, saves a checkpoint, and prints the sequences
of another capture that score above the threshold:

    #define PKTSEQ_IMPLEMENTATION
    #include "pktseq.h"
    #include <stdio.h>

    static void show(void *user_data, const pktseq_scored *s) {
        if (s->score > s->threshold)
            fprintf((FILE *)user_data, "%s > %s at %.1f s: %g\n", s->src, s->dst, s->time,
                    s->score);
    }

    int main(void) {
        pktseq_guard guard;
        pktseq_error err;
        if (pktseq_guard_learn(&guard, "normal.pcap", NULL, &err) ||
            pktseq_guard_save(&guard, "model.safetensors", &err) ||
            pktseq_guard_score(&guard, "today.pcap", show, stdout, &err))
            fprintf(stderr, "%s\n", err.text);
        pktseq_guard_free(&guard);
        return err.status != PKTSEQ_OK;
    }

README.md shows the same work step by step with other settings. examples/minimal.c has a training
loop written by hand.

WHAT IT DOES NOT DO   Capture packets, run on a GPU, choose a model for you.

CONTENTS   grep '^// ---- >>' pktseq.h prints them. The implementation follows the flow of data:

    number, csv, names, frame, capture -> schema, notation, columns, header, rows, fast, table
          -> slots, counters, tracker, segment, sequences, packets -> codec, learn, encode
          -> dataset -> model
          -> plain (the network, read it first), work, gru, batch, loss, forward, backward
          -> optimizer, train -> use, detector, score, threshold, fit, drift -> stream, watch
          -> members, checkpoint, json, load, files

    >>api-short covers everything in six calls, with the recommended settings.

DEFINES   Before the #include, the same in every file of a program:

    PKTSEQ_IMPLEMENTATION   compiles the function bodies here: in one file of a program, which must
                            not include tgmath.h first
    PKTSEQ_STATIC           the same, and every function is private to this file
    PKTSEQ_SHARED           the functions are exported from or imported from a shared library, also
                            with -fvisibility=hidden and as a Windows DLL
    PKTSEQ_DEF              what to put before each function's name, if none of these fits
    PKTSEQ_REAL             float (default) or double
    PKTSEQ_MALLOC(size), PKTSEQ_FREE(p)   both or neither; default malloc and free
    PKTSEQ_NO_STDIO         no FILE: omits the functions that take only a path; those on memory and
                            those that take pktseq_files remain
    PKTSEQ_NO_SIMD          plain C instead of x86 or Arm vectors: the same bits, much slower, but
                            compiled ten times as fast with sanitizers (gcc 12: 11 s, not 108)
    PKTSEQ_FILE             this file's name in quotes if it is not "pktseq.h", since it includes
                            itself once for each instruction set. Pasted into another file, it has
                            no vectors

CONVENTIONS
    letters       N input packets, T target packets, S = N + T steps, D input features, O output
                  features, C context features, F fields, G groups of outputs, H hidden units, B
                  sequences in a batch. (rows, cols) after a pointer is its shape, in row-major
                  order.
    reference     the PyTorch notebooks that the network and its first settings come from. Figures
                  without another source were measured on the recordings in examples/data.
    units         timestamps in seconds, lengths in bytes, losses in squared standard deviations.
    arguments     First the object that is filled, changed or queried; then inputs, each array
                  before its size; options; outputs; the allocator; err. A work follows its model.
    errors        A function that can fail returns a pktseq_status, 0 = PKTSEQ_OK. err may be NULL;
                  otherwise it is always filled, also on success. Nothing is printed and nothing
                  exits. After a failure the object to be filled is empty, every other output is
                  safe to free, and every input is unchanged.
    ownership     What _init, _read, _parse, _fit, _learn or _load fills, _free of the same noun
                  releases. _free accepts NULL, a zeroed struct and a freed one. Structs may be
                  read but not written, except options, the training state of a loop of your own,
                  and a loaded model's config.inputs and config.start, which files of other
                  programs do not contain. A view owns nothing.
    allocator     NULL means malloc. The struct is copied; its user_data must outlive the object.
    threads       There is no global state. "Thread safe" means: may be called from several threads
                  at once, as long as no object that one call writes is used by another. Many
                  threads may share one model for forward, rollout and score, each with its own
                  work. After a fork, the child calls omp_set_num_threads(1) first, or exec.
    determinism   Float weights have the same bits for any number of threads, compiler, options and
                  vector unit, since every sum has one order and every fused multiply-add is
                  explicit. Exceptions: compilers with FLT_EVAL_METHOD other than 0 (x87, -std=c99
                  on s390); -ffast-math, where it flushes subnormal numbers to zero and one occurs;
                  and, as far as libm differs, PKTSEQ_REAL double and fields that use log. Random
                  numbers are a function of (seed, purpose, iteration), so a resumed run draws the
                  same ones.
    locale        Numbers are read and written with a decimal point in every locale.

STABILITY   Versions are semantic (semver.org). Within one major version, a program that follows
this manual needs only to be recompiled:

    stable        every function, type, enumeration and macro of the >>api- sections, the meaning
                  of each argument, option and status, and what zero means in a struct of options.
                  A minor version may add functions, kinds, and fields at the end of a struct.
    files         later versions with the same major number read a checkpoint.
    bits          only a minor version may change the weights that a seed gives; VERSIONS says so.
    not stable    names that begin with pktseqi_ or PKTSEQI_; the members state, memory, owned_..;
                  the wording of messages; sizes of structs (there is no stable binary interface).
    deprecated    names to be removed are listed here for one major version first. None now.

THE MATHEMATICS   sources: PyTorch's documentation of GRU, Linear, LeakyReLU, MSELoss and SGD
(docs.pytorch.org/docs/stable/nn.html); Cho et al. 2014, arXiv 1406.1078; Sutskever et al. 2014,
arXiv 1409.3215; Werbos 1990, "Backpropagation through time", Proc. IEEE 78(10).

    encoder   h = 0;              h = gru_enc(x[i], h)                           i = 0 .. N-1
    decoder   token = first;      h = gru_dec(leaky_relu(token), h)              t = 0 .. T-1
                                  out[t] = W h + b          (NLL: link(W h + b), see loss)
                                  token = out[t] (free running) or y[t] (teacher forcing)
    gru       r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)       reset gate
              z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)       update gate
              q =         W_hn h + b_hn                        reset acts after this product
              n = tanh   (W_in x + b_in + r*q)                 new gate
              h = (1 - z)*n + z*h
    loss      of a sequence, MSE: sum over t of mean over O of (out[t] - y[t])^2
              NLL: sum over t of the negative log-likelihood of y[t], group by group:
                  a number   (out - y)^2 / 2                             out = v     v = W h + b
                  a flag     -(y log out + (1 - y) log(1 - out))         out = sigmoid(v)
                  a class    -sum y log out                              out = softmax(v)
              minimised: its mean over the sequences of a batch; reported: the mean of loss / T
    score     of a sequence, RMS: mean over t of sqrt(mean over O of (out[t] - y[t])^2)
              surprisal: mean over t of a sum, in nats, of
                  a number        2 log(1 + (out - y)^2 / (3 v))       v its mean square on normal
                  a flag, class   -log max(p(y), 10^-6)                  traffic (Student's t)
                  the context     log(1 + (c - m)' S^-1 (c - m))       m, S mean and covariance
              each packet is forecast free running or from the true packets before it
    first     y[0] (PKTSEQ_START_TARGET, the reference's choice: step 0 sees its own answer) or the
              last input packet (PKTSEQ_START_INPUT, an honest forecast); zeros where there is none
    SGD       velocity = momentum * velocity + gradient;  w = w - learning_rate * velocity
              with clip, the gradient is first scaled down to at most that norm
    weights   start from U(-1/sqrt(H), 1/sqrt(H))

    In free running the next token is the output, and the gradient flows back through it.

CHECKPOINT FILE   safetensors (huggingface.co/docs/safetensors): the header's length in 8 bytes,
little-endian; the header, in JSON; the numbers, F32 (F64 if PKTSEQ_REAL is double), little-endian,
in the order of PKTSEQ_TENSORS without gaps. Names are PyTorch's after "encoder." and "decoder.".
After the ten tensors, "optimizer.velocity" may follow, a vector with one number per parameter, from
which a run with momentum resumes. A file without "pktseq." keys is read as weights only. In
"__metadata__", whose values are strings:

    format           pt
    pktseq.format    3; all others are refused
    pktseq.version   of the library that wrote the file
    pktseq.checksum  64-bit FNV-1a over every byte of the file except these 16 hexadecimal digits
    pktseq.model     N, first token, loss, and the type of each group of outputs
    pktseq.codec     how protocols were named and packets became sequences, then for each field:
                     kind, column, role, mean, standard deviation, and categories
    pktseq.training  the state of a run: the trainer's description, settings, sums, losses
    pktseq.detector  what a detector has learned

    The last four are lines "name value;" or "name value,value,..;" in the order of the lists
    pktseqi_.._members in >>checkpoint, which give type and range of each. A line is omitted if all
    its values are 0, empty or the first of an enumeration. In strings, characters below 32 and
    " \ , ; % are written as %xx, two hexadecimal digits. Numbers have as many of 17 decimal digits
    as restore the same bits. To add a value, add a line to a list.

VERSIONS
    1.0.0   Reads pcap and pcapng, CSV of every Wireshark and all IP traffic; sequences by
            connection, packet by packet (pktseq_tracker); alarms (pktseq_watcher) with reasons
            (pktseq_detector_reasons); six calls from a file to alarms (pktseq_guard); every setting
            of a run in one struct (pktseq_recipe). Thresholds for any false-positive rate
            (pktseq_distribution), which may follow the traffic; a check that traffic is still as
            calibrated (pktseq_drift); training continued on new traffic (pktseq_recipe_prepare,
            _codec_extend, _model_grow); the network in plain loops (pktseq_plain). Packed rows and
            narrow columns (pktseq_column_number, _text).
            Renamed: rule.least, most and notebook are min_length, max_length and reference_names;
            table.cut is counts; a dataset's groups are packing.groups; pktseq_schema_notebook is
            pktseq_schema_reference; false_alarms is false_positive_rate; surprise is surprisal;
            point, point_every and report_every are loss, loss_interval and report_interval; a
            field's least is min_count; a training's recipe is description; tpr_at_01_percent is
            tpr_at_0_1_percent.
            Changed: pktseq_config goes by pointer; save and load name the model first, the path or
            buffer last; pktseq_codec_encode takes a pktseq_form; pktseq_table_track does what
            _sequences and _derive did; pktseq_work shows results and gradients alone.
            Removed: PKTSEQ_MEASURE_WEIGHTED, PKTSEQ_CLASSES, begin and end of dataset options,
            pktseq_dataset_options_notebook (drop_last), pktseq_detector_options_default (zeros),
            pktseq_gradcheck, pktseq_port_class, ports from the column Info, dates beyond ISO 8601,
            the loss picture.
            Checkpoint format 3: older ones are refused. The likelihood of classes has other last
            bits than before
    0.4.0   file operations that can be replaced (pktseq_files), whole files, tables from a stream,
            a check that header and implementation match
    0.3.0   kernels for AVX-512, AVX2 and NEON chosen at run time; other bits than before, but the
            same everywhere. New fields in pktseq_work and pktseq_model
    0.2.0   captures cut into sequences; derived columns, logarithms, classes, context; likelihood
            losses, momentum, clipping; detector, stream, evaluation. New arguments: a detector in
            save and load; input_only became role
    0.1.0   table, codec, dataset, model, training, rollout, score, checkpoints
*/
#ifndef PKTSEQ_H
#define PKTSEQ_H

#include <stddef.h>
#include <stdint.h>

#define PKTSEQ_VERSION_MAJOR 1
#define PKTSEQ_VERSION_MINOR 0
#define PKTSEQ_VERSION_PATCH 0
#define PKTSEQ_VERSION "1.0.0"

#ifdef PKTSEQ_STATIC
#ifndef PKTSEQ_IMPLEMENTATION
#define PKTSEQ_IMPLEMENTATION
#endif
#endif

#ifndef PKTSEQ_DEF
#ifdef PKTSEQ_STATIC
#define PKTSEQ_DEF static inline
#elif defined(PKTSEQ_SHARED) && defined(_WIN32) && defined(PKTSEQ_IMPLEMENTATION)
#define PKTSEQ_DEF extern __declspec(dllexport)
#elif defined(PKTSEQ_SHARED) && defined(_WIN32)
#define PKTSEQ_DEF extern __declspec(dllimport)
#elif defined(PKTSEQ_SHARED) && defined(__GNUC__)
#define PKTSEQ_DEF extern __attribute__((visibility("default")))
#else
#define PKTSEQ_DEF extern
#endif
#endif

#ifndef PKTSEQ_REAL
#define PKTSEQ_REAL float
#endif
typedef PKTSEQ_REAL pktseq_real;
// An array of negative size, so an error, if PKTSEQ_REAL is neither float nor double.
typedef char pktseq_real_is_float_or_double[sizeof(pktseq_real) == 4 || sizeof(pktseq_real) == 8
                                                ? 1 : -1];

#ifdef __cplusplus
extern "C" {
#endif

// ---- >>api-status: status, error, memory ------------------------------------------------------

// The outcome of a call. Zero is success; no other result is encoded in it.
typedef enum pktseq_status {
    PKTSEQ_OK = 0,
    PKTSEQ_STOPPED,         // the progress callback stopped the run; all objects are consistent
    PKTSEQ_ERROR_ARGUMENT,  // an argument is NULL, zero or out of range
    PKTSEQ_ERROR_MEMORY,    // the allocator returned NULL, or a size exceeds size_t
    PKTSEQ_ERROR_FILE,      // a file cannot be opened, read or written
    PKTSEQ_ERROR_DATA,      // a capture, CSV file or checkpoint breaks the rules of its format
    PKTSEQ_ERROR_MISMATCH,  // two objects do not fit together (sizes, columns, other data)
    PKTSEQ_ERROR_DIVERGED,  // the loss is no longer finite; the last good weights are kept
    PKTSEQ_END,             // no error: nothing is left to read
    PKTSEQ_NOT_IP           // no error: this frame has no IP packet
} pktseq_status;

// Describes a failure in one English sentence, in the caller's memory.
typedef struct pktseq_error {
    pktseq_status status;
    size_t line;     // of the CSV: where the row, or the quote that is never closed, begins (1 is
                     //   the first line); 0 where there is none
    char text[1024]; // empty on success
} pktseq_error;

// Supplies memory. alloc_fn returns memory aligned for any type, or NULL. If alloc_fn is NULL,
// malloc and free are used; if only free_fn is NULL, nothing is freed (an arena).
typedef struct pktseq_allocator {
    void *(*alloc_fn)(size_t size, void *user_data);
    void (*free_fn)(void *p, void *user_data);
    void *user_data;
} pktseq_allocator;

// Bytes that a function has produced, such as a checkpoint. Free with pktseq_buffer_free.
typedef struct pktseq_buffer {
    unsigned char *data;  // (size)
    size_t size;
    size_t capacity;
    pktseq_allocator allocator;
} pktseq_buffer;

// Returns the version of the linked implementation, "MAJOR.MINOR.PATCH".
PKTSEQ_DEF const char *pktseq_version(void);

// Checks that the linked implementation matches the included header: same version, number type and
// structs. Call the macro once where the two are compiled separately, as in a library:
//   if (PKTSEQ_CHECK_HEADER() != PKTSEQ_OK) ..
// Returns PKTSEQ_OK or PKTSEQ_ERROR_MISMATCH.
PKTSEQ_DEF pktseq_status pktseq_check_header(const char *version, size_t real, size_t sizes);
#define PKTSEQ_CHECK_HEADER() \
    pktseq_check_header(PKTSEQ_VERSION, sizeof(pktseq_real), PKTSEQ_STRUCT_SIZES)
#define PKTSEQ_STRUCT_SIZES \
    (sizeof(pktseq_schema) + sizeof(pktseq_table) + sizeof(pktseq_codec) + \
     sizeof(pktseq_dataset) + sizeof(pktseq_model) + sizeof(pktseq_work) + \
     sizeof(pktseq_plain) + sizeof(pktseq_training) + sizeof(pktseq_detector) + \
     sizeof(pktseq_packet) + sizeof(pktseq_capture) + sizeof(pktseq_tracker) + \
     sizeof(pktseq_watcher) + sizeof(pktseq_guard))

// Returns a few words for a status ("out of memory"). Never NULL, for any value.
PKTSEQ_DEF const char *pktseq_status_text(pktseq_status status);

// Returns how the implementation was compiled (number type, OpenMP, stdio) and which vector
// instructions it uses on this machine.
PKTSEQ_DEF const char *pktseq_build_info(void);

// Frees the bytes of a buffer.
PKTSEQ_DEF void pktseq_buffer_free(pktseq_buffer *buffer);

// ---- >>api-capture: packets of captures -------------------------------------------------------

// Bits of pktseq_packet.notes.
enum {
    PKTSEQ_NOTE_FRAGMENT = 1,   // a fragment of an IP packet; the first one has the ports
    PKTSEQ_NOTE_NO_PORTS = 2,   // a later fragment: no transport header, so no ports and no flags
    PKTSEQ_NOTE_CUT_OFF = 4,    // the snap length ended the frame within its headers
    PKTSEQ_NOTE_TUNNEL = 8,     // the inner packet of a tunnel (GRE, IP in IP, VXLAN ..)
    PKTSEQ_NOTE_BY_PORT = 16    // protocol is the usual service of a port; payload was not examined
};

// One packet, decoded from a frame, read from a row of a CSV file, or filled by the caller.
typedef struct pktseq_packet {
    double time;                     // seconds on the capture's clock, often since 1970: the double
                                     //   nearest to the decimal number
    double length;                   // bytes on the wire
    unsigned char src[16], dst[16];  // IPv6, or IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2)
    uint8_t transport;               // IP's number: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6, 132 SCTP ..
    uint8_t icmp_type, icmp_code;    // of ICMP and ICMPv6
    uint16_t src_port, dst_port;     // of TCP, UDP and SCTP, or 0
    uint16_t icmp_id;                // of echo and timestamp messages, or 0
    uint16_t flags;                  // of TCP, or 0: res ns cwr ecn urg ack push reset syn fin, fin
                                     //   is bit 0; res, bit 9, is set if any of its three bits is
    const char *protocol;            // "TCP", "DNS", "HTTP" ..: static or the caller's; never NULL
    uint32_t payload;                // bytes after the transport header; 0 where unknown
    unsigned notes;                  // PKTSEQ_NOTE_..
} pktseq_packet;

// Decodes the innermost IP packet of a frame, for example in a loop over libpcap's packets. VLAN
// tags (802.1Q, 802.1ad, ..), MPLS, PPPoE and IPv6 extension headers are skipped. GRE, IP in IP,
// 6in4, EtherIP, VXLAN, Geneve, GTP-U, Teredo, LISP and MPLS over UDP are entered if they contain
// an IP packet. The packet that an ICMP error quotes is ignored.
//   packet     out. protocol is static.
//   captured   bytes in frame
//   length     bytes that the frame had on the wire
//   link_type  LINKTYPE_ number as in pcap files (tcpdump.org/linktypes.html): 0 and 108 null and
//              loop, 1 Ethernet, 9 50 51 204 PPP, 12 14 101 228 229 raw IP, 104 Cisco HDLC,
//              107 frame relay, 113 and 276 Linux cooked, 219 MPLS
//   time       in seconds, copied
//   returns    PKTSEQ_OK; PKTSEQ_NOT_IP if there is no IP header: protocol then names what was
//              found ("ARP", "STP", "LLDP" .., else "other"), and time and length are set
//   fails with ARGUMENT (NULL), MISMATCH (an unknown link type).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_packet_decode(pktseq_packet *packet, const void *frame,
                                              size_t captured, size_t length, uint32_t link_type,
                                              double time);

// Writes an address as text, as inet_ntop does (RFC 5952 for IPv6; ::ffff:a.b.c.d as IPv4). Returns
// the length of the text.
PKTSEQ_DEF size_t pktseq_address_text(const unsigned char address[16], char text[46]);

// Counts of what a capture has contained so far.
typedef struct pktseq_capture_counts {
    uint64_t frames;         // read so far: the last one's number, as Wireshark counts
    uint64_t packets;        // frames with an IP packet
    uint64_t fragments;      // packets that are a fragment; no_ports: those after the first
    uint64_t no_ports;
    uint64_t tunnels;        // packets within another
    uint64_t cut_off;        // frames whose headers are longer than the snap length
    uint64_t unknown;        // frames of an unknown link type
    uint64_t incomplete;     // 1: the capture ends within a record, as while it is being written
    struct {
        const char *name;    // "ARP", "STP" .., static; NULL: no more kinds
        uint64_t frames;
    } other[16];             // frames without an IP packet, by kind; the last kind is all the rest
} pktseq_capture_counts;

// Reads a stream of bytes: stores up to `size` of them in `to` and returns their number, which is 0
// at the end or after setting *failed = 1 for an error. To follow live packets, return what has
// arrived, as read() does, instead of waiting for all, as fread() does.
typedef size_t (*pktseq_read_fn)(void *user_data, void *to, size_t size, int *failed);

// A capture that is being read, packet by packet.
struct pktseqi_capturing;
typedef struct pktseq_capture {
    pktseq_capture_counts counts;
    const unsigned char *frame;  // (captured) the last packet's frame, until the next call
    size_t captured;
    uint32_t link_type;          // of that frame
    struct pktseqi_capturing *state;
    pktseq_allocator allocator;
} pktseq_capture;

// Returns 1 if these first bytes of a stream, at least 4, begin a pcap or pcapng capture, else 0.
PKTSEQ_DEF int pktseq_capture_magic(const void *data, size_t size);

// Opens a capture: pcap (microseconds or nanoseconds, also with the longer records of a modified
// libpcap) or pcapng (any number of sections and interfaces), of either byte order. Allocates half
// a megabyte, and 32 bytes for each interface that the stream describes.
//   capture    out. Free with pktseq_capture_free, also after a failure.
//   fails with ARGUMENT, MEMORY, FILE (reading failed), DATA (no capture, or only of an unknown
//              link type; the message says what to do).
PKTSEQ_DEF pktseq_status pktseq_capture_init(pktseq_capture *capture, pktseq_read_fn read_fn,
                                             void *user_data, const pktseq_allocator *allocator,
                                             pktseq_error *err);

// Reads the next IP packet; frames without one are counted and skipped. counts.frames is then the
// packet's number. A frame without a time (pcapng's simple packets) has that of the frame before.
//   returns    PKTSEQ_OK; PKTSEQ_END after the last one, also if its record is incomplete
//   fails with DATA (a record that breaks the format; no frame of a known link type), FILE.
PKTSEQ_DEF pktseq_status pktseq_capture_next(pktseq_capture *capture, pktseq_packet *packet,
                                             pktseq_error *err);

// Frees a capture's memory; its counts remain.
PKTSEQ_DEF void pktseq_capture_free(pktseq_capture *capture);

// ---- >>api-table: packets as read from CSV ----------------------------------------------------

// How a column becomes features of a packet. [n] is the number of features.
typedef enum pktseq_kind {
    PKTSEQ_ZSCORE = 0,      // [1] (value - mean) / standard deviation
    PKTSEQ_SINCE_PREVIOUS,  // [1] difference from the sequence's previous packet, 0 for the first;
                            //     z-scored
    PKTSEQ_SINCE_FIRST,     // [1] difference from the sequence's first packet, z-scored
    PKTSEQ_NUMBER,          // [1] the value unchanged
    PKTSEQ_FLAG,            // [1] 0 or 1; also read from "Set", "Not set", "True", "False"
    PKTSEQ_ONEHOT,          // [categories] 1 for the packet's category; a text column
    PKTSEQ_PORT,            // [3] well_known (below 1024), registered, dynamic (above 49151):
                            //     RFC 6335 section 6
    PKTSEQ_PORT_REFERENCE,  // [3] the same, but all zeros above 49151: the reference's mistake
    PKTSEQ_LOG,             // [1] log(1 + value), z-scored; negative values count as 0
    PKTSEQ_LOG_SINCE_PREVIOUS  // [1] log(1 + 10^6 * difference), z-scored; negative ones count as 0
} pktseq_kind;

// What a field is used for.
typedef enum pktseq_role {
    PKTSEQ_ROLE_BOTH = 0,  // input of the network and predicted by it
    PKTSEQ_ROLE_INPUT,     // input only
    PKTSEQ_ROLE_CONTEXT    // neither: a number for the detector alone; these fields come last
} pktseq_role;

// One entry of a schema.
typedef struct pktseq_field {
    const char *column;           // the column's name in the CSV (aliases: see pktseq_table_parse)
    pktseq_kind kind;
    pktseq_role role;
    double mean, sd;              // z-scored kinds: used if sd > 0, learned if sd is 0 (in a codec,
                                  //   sd 0 is a constant column, encoded as 0)
    const char *const *category;  // PKTSEQ_ONEHOT: (category_count) names, at most 4096; or NULL
    size_t category_count;        //   0 = learned from the data, sorted by bytes
    size_t min_count;             // learned names that occur less often are encoded as unknown;
                                  //   0 = 1
} pktseq_field;

// What forms a sequence.
typedef enum pktseq_rule_kind {
    PKTSEQ_RULE_REFERENCE = 0,  // consecutive packets, from or to the first one's source
    PKTSEQ_RULE_CONNECTION      // the packets of a connection
} pktseq_rule_kind;

// How packets are grouped into sequences, and how much is remembered: see pktseq_tracker.
typedef struct pktseq_rule {
    size_t min_length;       // reference: this many packets always join, and shorter sequences do
                             //   not count; by connection 1; 0 = no grouping
    size_t max_length;       // packets of a sequence, below 2^32 - 1; the next packet begins
                             //   another
    double window;           // reference: seconds after the first packet in which others may join
    int reference_names;     // 1: FINGER, FTP, FTP-DATA and TIME are dropped, SMTP/IMF and SMTP|IMF
                             //   become SMTP
    pktseq_rule_kind kind;
    double idle;             // by connection: it ends after this many seconds without a packet
    // Limits below 2^31; 0 = that of pktseq_rule_default. Above a limit the entry that was used
    // least recently is forgotten.
    size_t max_connections;
    size_t max_pairs;        // pairs of addresses, and also hosts that a source has contacted
    size_t max_packets;      // in the windows of all pairs
    uint64_t secret[2];      // random numbers that nobody can guess, against packets crafted to
                             //   collide in hash tables; results do not depend on them
    int tcp_only;            // 1: only TCP packets are read, as always with reference_names
} pktseq_rule;

// The tshark command that writes all columns known here to CSV.
#define PKTSEQ_TSHARK \
    "tshark -r FILE.pcap -T fields -E header=y -E separator=, -E quote=d -e frame.number " \
    "-e frame.time_epoch -e ip.src -e ipv6.src -e ip.dst -e ipv6.dst -e ip.proto -e ipv6.nxt " \
    "-e _ws.col.Protocol -e frame.len -e tcp.srcport -e tcp.dstport -e tcp.flags -e udp.srcport " \
    "-e udp.dstport -e icmp.type -e icmp.code -e icmp.ident -e icmpv6.type -e icmpv6.code " \
    "-e icmpv6.echo.identifier > FILE.csv"

// Which columns are read and which features they become, in the order of the features. Borrows all
// that it points to.
typedef struct pktseq_schema {
    const pktseq_field *field;  // (field_count)
    size_t field_count;
    int constant_is_zero;       // 1: a constant z-scored column is encoded as 0 instead of an error
    char separator;             // between cells; 0 = detected in the header line
    const char *const *keep;    // (keep_count) columns to read that become no features
    size_t keep_count;
    pktseq_rule rule;           // for a file without "position"; min_length 0: that is an error
    double bad_rows;            // largest share of unreadable rows of a capture, which are left
                                //   out; 0 = 0.01. Negative = none, and a damaged pcap is refused
    double hold_out;            // as in pktseq_dataset_options: a codec learns only from sequences
    const unsigned char *repeats; // that these two leave for training
} pktseq_schema;

// How a column stores its cells. Columns that were read use the narrowest type that holds all.
typedef enum pktseq_cell {
    PKTSEQ_CELL_DOUBLE = 0,
    PKTSEQ_CELL_U8,  // integers: uint8_t,
    PKTSEQ_CELL_U16, // uint16_t,
    PKTSEQ_CELL_U32  // uint32_t
} pktseq_cell;

// One column of numbers or of text. Read it with pktseq_column_number and pktseq_column_text.
typedef struct pktseq_column {
    char *name;
    void *cell;         // (rows) numbers; for text, indices into names, not of type double
    pktseq_cell type;
    char **names;       // (name_count) the distinct strings, in any order; NULL: numbers
    size_t name_count;
} pktseq_column;

// What became of the packets: packets = rows + not_tcp + not_ip + bad_rows + headers + dropped +
// remainder + attacks.
typedef struct pktseq_table_counts {
    size_t packets;      // rows of the file
    size_t not_tcp;      // other packets, where only TCP is read
    size_t dropped;      // of a protocol that the reference drops
    size_t remainder;    // at the end, too few for a sequence
    size_t renamed;      // whose protocol was SMTP/IMF or SMTP|IMF
    size_t clock_back;   // earlier than the packet before them
    size_t many_values;  // cells that held several values
    size_t evicted_connections, evicted_pairs, evicted_packets;  // forgotten early, because of the
                                                                  //   rule's limits
    size_t not_ip;       // ARP and the like
    size_t bad_rows;     // unreadable; pktseq_table.first_bad describes the first
    size_t bad_line;     // line of the first of those
    size_t headers;      // repeated header lines
    size_t tunnels;      // with both IPv4 and IPv6 addresses; the inner ones are used
    size_t quotes;       // ICMP messages that quote ports, which are not theirs
    size_t attacks;      // in sequences that pktseq_table_select removed
} pktseq_table_counts;

// How a capture was read: bits of pktseq_table.notes.
enum {
    PKTSEQ_READ_NO_RES = 1,     // no column for res or ns, which count as 0
    PKTSEQ_READ_SCALED = 2,     // times were integers, milli-, micro- or nanoseconds since 1970
    PKTSEQ_READ_BY_PORT = 4,    // protocols are named by ports, as in pcap, not by a dissector
    PKTSEQ_READ_POSITIONS = 8,  // a column "position" says where sequences begin
    PKTSEQ_READ_DAMAGED = 16    // a capture was read only up to the damage that first_bad describes
};

// Packets, column by column, in the file's order, and where their sequences begin.
//
//      start[0] = 0        start[1]        start[2]              start[sequences] = rows
//         |  first sequence   |    second     |     ...                 |
//
// A program may fill the struct itself: rows, sequences, start, and columns with name, cells and,
// for text, type and names; the rest is zero. (Without sequences and start, pktseq_table_track can
// form them.) start, source_row and connection must be NULL or come from its allocator: functions
// here replace and free them. Functions that add columns replace the array of columns without
// freeing it, and pktseq_table_free frees the columns that they added.
typedef struct pktseq_table {
    size_t rows;
    size_t sequences;
    size_t *start;         // (sequences + 1)
    size_t column_count;
    pktseq_column *column; // (column_count)
    size_t own_columns;    // this many of the last columns, and the array, were allocated here
    size_t position_gaps;  // rows whose position is neither 0 nor one more than the row before
    uint32_t *source_row;  // (rows) row of the file, 0 = the first after the header; NULL when
                           //   every row was kept in place
    size_t *connection;    // (sequences) number of its connection, 0, 1, .. in the order in which
                           //   they began; NULL unless the rule grouped by connection
    pktseq_table_counts counts;
    unsigned notes;        // PKTSEQ_READ_.. bits
    char first_bad[200];   // describes the first unreadable row or the damage of a capture, or ""
    pktseq_capture_counts capture;  // of a pcap or pcapng file; frames is 0 for CSV
    pktseq_allocator allocator;
} pktseq_table;

// Returns the reference's rule: 4 to 320 packets, window 1, reference_names 0; limits of 65,536
// connections and pairs and 1,048,576 packets.
PKTSEQ_DEF pktseq_rule pktseq_rule_default(void);

// Returns the rule that groups by connection, which finds more wherever several hosts talk at once:
// 1 to 320 packets, idle 30, the same limits.
PKTSEQ_DEF pktseq_rule pktseq_rule_connection(void);

// Returns timestamp and length, z-scored; res ns cwr ecn urg ack push reset syn fin as flags;
// protocol one-hot, learned; src_port and dst_port by class; pktseq_rule_default. Static memory.
PKTSEQ_DEF pktseq_schema pktseq_schema_default(void);

// Returns the reference's 25 features in its order: as above, but with the protocols TCP TELNET
// SMTP HTTP SSHv1 IRC POP, PKTSEQ_PORT_REFERENCE, and reference_names = 1. Static memory.
PKTSEQ_DEF pktseq_schema pktseq_schema_reference(void);

// Returns the fields that find anomalies best: log of the time since the previous packet, z-scored;
// same_connection; the token (seen at least 5 times), all predicted; and, unless context is 0, the
// logarithms of the counters of pair and source (see pktseq_table_track) as context, unscaled;
// pktseq_rule_connection. Static memory.
PKTSEQ_DEF pktseq_schema pktseq_schema_recommended(int context);

// Reads a CSV file or a capture from memory.
//   fails with ARGUMENT (schema), MEMORY, DATA (err gives line, column, what was found and what was
//              expected).       Thread safe.
//
// CSV is a header line, then one row per packet: RFC 4180 quoting, LF, CRLF or CR, with or without
// a UTF-8 byte order mark and empty lines; a quote within an unquoted cell is text. The separator,
// unless the schema gives it, is a comma if the header has one outside quotes, else the most
// frequent of tab, semicolon and |. Gzip, UTF-16, JSON, flow records, and files without a header
// line or a required column are refused; the message says what to do.
//
// Columns are found by name, others are skipped. A missing column may be there under one of the
// names that Wireshark 2 to 4 (No., Time, Source, .., Fin, or those of Apply as Column) or tshark
// (frame.number, ip.src, _ws.col.Time, .., tcp.flags.fin) gives it, in any case, with surrounding
// blanks, quotes or a leading '#'; label may also be class, attack, attack_cat or attack_type.
// Columns in schema->keep follow those of the fields; those that the file lacks are omitted.
// timestamp, length, "No.", ports, flags, transport (IP's number), icmp_type, icmp_code and icmp_id
// are numbers, all others text, which may be empty if kept. Each cell is checked: a finite number
// (correctly rounded to double), 0 to 65535 for ports, 0 or 1 for flags (or Set, Not set, TRUE,
// FALSE), non-empty UTF-8 for text, at most 4096 distinct strings in a one-hot column.
//
// A file with a column "position" (an integer, 0 where a sequence begins) keeps its sequences.
// Without one, schema->rule forms them, as pktseq_table_track does; the columns that this needs are
// read, too, and follow the others. Then
//   - all IP packets are read, or only TCP if rule.tcp_only or rule.reference_names says so; others
//     (ARP ..) are counted and left out. tcp.srcport, udp.srcport and sctp.srcport fill each other;
//     ports and flags that a packet does not have are 0. transport comes from the filled ones, from
//     ip.proto, ipv6.nxt or the protocol's name;
//   - flags without columns come from tcp.flags: 0x0018, 24, 0018 (hexadecimal, because of the
//     leading zeros) or letters as in tcp.flags.str. res and ns are 0 if only they have no column;
//     tcp.flags.res may be 0 to 7;
//   - times are seconds with a point or a comma, dates of ISO 8601 ("2024-03-05 10:00:00.25", with
//     T, Z, +01:00 or +0100), times of day, or integers, milli-, micro- or nanoseconds since 1970.
//     frame.time_epoch is used if there is no frame.time_relative;
//   - an empty ip.src or ip.dst is filled from ipv6.src or ipv6.dst. If both are filled, the inner
//     packet's is used: as ip.proto and ipv6.nxt say, else IPv6;
//   - of several values in a cell under tshark's names, "10.0.0.1,192.168.0.1", the last one, the
//     innermost packet's, is used; but an ICMP message has its own addresses and no ports;
//   - rows may have extra empty cells; repeated header lines are left out. Up to a share of
//     schema->bad_rows of the rows (and three in a short file) may be unreadable and are left out;
//     with more, the file is refused and err describes the first one. A last line that is cut off
//     within quotes is such a row, and so is a line with text after a closing quote; but a NUL byte
//     (UTF-16, binary), or one of these two faults after a line end within the same row's quotes,
//     refuses the file.
// table->counts and table->notes tell which of these occurred.
//
// A pcap or pcapng capture (see pktseq_capture_init) is recognised by its first bytes. Its rows are
// its frames with an IP packet. It has the columns of the fields above, "No.", the frame's number,
// transport, icmp_type, icmp_code, icmp_id, payload and notes, as in pktseq_packet. The table holds
// those that a field or schema->keep names, and protocol with a token, but not those that only the
// rule or derived columns need; name these in keep to track the table again. timestamp is in
// seconds since 1970; protocol is the usual service of a port, or the transport.
PKTSEQ_DEF pktseq_status pktseq_table_parse(pktseq_table *table, const void *data, size_t size,
                                            const pktseq_schema *schema,
                                            const pktseq_allocator *allocator, pktseq_error *err);

// Reads the same from a stream, such as a pipe, in pieces of any size.
//   fails as pktseq_table_parse does, and with FILE if reading failed.
PKTSEQ_DEF pktseq_status pktseq_table_stream(pktseq_table *table,
                                             pktseq_read_fn read_fn, void *user_data,
                                             const pktseq_schema *schema,
                                             const pktseq_allocator *allocator,
                                             pktseq_error *err);

// Passes the packets of a table, in the order of its rows, through a tracker (see pktseq_tracker),
// to group them into sequences, to add derived columns, or both.
//   table      start, sequences, source_row and connection are rebuilt, position_gaps is 0; counts
//              accumulate. Strings remain in names even if no row uses them any more. In a table
//              filled by hand, start, source_row and connection are NULL or come from its
//              allocator, and a missing "SMTP" overwrites "SMTP/IMF". Unchanged after a failure.
//   rule       how to group packets, replacing the table's sequences; NULL: keep those. The
//              reference's rule needs the columns timestamp (numbers), src_ip and dst_ip (text); by
//              connection, also src_port, dst_port, ack, reset, syn and fin; reference_names also
//              protocol (text). transport, icmp_type, icmp_code and icmp_id are used if present;
//              without transport all is TCP. The rows of a sequence become adjacent, in order;
//              sequences are in the order in which they began. Packets that reference_names drops
//              are removed and, by the reference's rule, fewer than min_length at the end.
//   schema     the columns it names that the table lacks are derived, in the original order of the
//              rows; NULL: none. Not both may be NULL
//   fails with ARGUMENT (NULL, a rule with min_length 0, max_length below it or too large, an idle
//              time or window that is negative or not finite, an empty table, a text index out of
//              range), MEMORY, MISMATCH (the table lacks a column, also one that others derive
//              from), DATA (fewer than rule->min_length packets; a time that is not finite).
//              Not for one table from two threads.
// Derived columns, which pktseq_table_read and _parse also add if the schema names them:
//   direction         1 for packets from the source of their sequence's first packet; by
//                     connection, of their connection's first packet
//   same_connection   1 if addresses and ports are those of the packet before, in either direction;
//                     by connection, 0 for the first packet of a sequence, else 1
//   token             text: protocol, direction, flags and class of length, and what its connection
//                     saw last within 30 seconds: "TCP < ack+syn 61-69 after > syn", "... first";
//                     for ICMP type and code in place of flags: "ICMP < 0/0 80-99 after > 8"
// and over the packets between the same two addresses in the last 10 seconds, including this one:
//   pair_packets pair_syn pair_reset pair_fin   how many; how many syn without ack, reset, fin
//   pair_push pair_length                       share with push; mean length, each at most 2^32
//   pair_connections pair_services              distinct higher and lower ports
//   pair_per_connection                         pair_packets / pair_connections
// and over the connections that the same host opened and that had a packet in these 10 seconds:
//   source_hosts source_services source_connections   distinct other ends; distinct transports and
//                                                      ports there (ICMP types); all
// Addresses are compared as text and are no features. Ports outside 0 to 65535 count as 0.
PKTSEQ_DEF pktseq_status pktseq_table_track(pktseq_table *table, const pktseq_rule *rule,
                                            const pktseq_schema *schema, pktseq_error *err);

// Returns the column of that name (the schema's, not an alias), or NULL.       Thread safe.
PKTSEQ_DEF const pktseq_column *pktseq_table_column(const pktseq_table *table, const char *name);

// Returns a column's number in a row, which must exist; for text, its index in names; 0 if column
// is NULL.       Thread safe.
PKTSEQ_DEF double pktseq_column_number(const pktseq_column *column, size_t row);

// Returns a column's text in a row, which must exist; NULL if column is NULL or has numbers, or if
// the index is not below name_count.       Thread safe.
PKTSEQ_DEF const char *pktseq_column_text(const pktseq_column *column, size_t row);

// Returns 1 if a label means normal traffic: NULL, "0" in any notation, or BENIGN, normal, False,
// none, "-" or empty, in any case.       Thread safe.
PKTSEQ_DEF int pktseq_label_is_normal(const char *label);

// Removes sequences and their packets from a table. Columns that were derived keep their values,
// even if they counted packets that are removed.
//   table      start, rows, sequences, source_row, columns and counts.attacks change
//   keep       (sequences) 0 removes a sequence
//   fails with ARGUMENT (NULL, an empty table), MEMORY, DATA (no sequence is kept); the table is
//              then unchanged.       Not for one table from two threads.
PKTSEQ_DEF pktseq_status pktseq_table_select(pktseq_table *table, const unsigned char *keep,
                                             pktseq_error *err);

// Removes the sequences that contain a packet whose "label" is not normal (unknown ones, "?", are
// not), so that the rest can be learned from. Without this column all remain.
//   fails with ARGUMENT (NULL, an empty table), MEMORY, DATA (every sequence has attacks); the
//              table is then unchanged.       Not for one table from two threads.
PKTSEQ_DEF pktseq_status pktseq_table_drop_attacks(pktseq_table *table, pktseq_error *err);

// Writes a time for people: "2026-01-31T12:00:00.250000Z" (ISO 8601, UTC) for seconds since 1970
// that are after 1990, else the seconds with six decimals. Returns text.       Thread safe.
PKTSEQ_DEF char *pktseq_time_text(double seconds, char text[40]);

// Frees a table; of one filled by hand, start, source_row, connection, and added columns.
PKTSEQ_DEF void pktseq_table_free(pktseq_table *table);

// ---- >>api-tracker: packets as they come ------------------------------------------------------

// Groups packets, one by one, into connections and sequences, and maintains what derived columns
// need. Tables pass through it, too, so files and live use agree to the bit, also at the limits.
//
// By the reference's rule, a packet joins the current sequence while that has fewer than
// rule.min_length packets, or if its source or destination is the source of the sequence's first
// packet and it is at most rule.window seconds later than that; but a sequence never exceeds
// rule.max_length packets. A packet that does not join begins the next sequence.
//
// By connection, a sequence holds the packets of one connection: same transport, addresses and
// ports, in either direction; for ICMP same addresses, identifier and class of type (a request and
// its reply are one class); for other transports same addresses. It ends after rule.idle seconds
// without a packet, or when a SYN without ACK follows a FIN or RST. After rule.max_length packets
// the connection continues in a new sequence.
//
// Time is that of the packets. Each is compared only with what it is looked up against, so a clock
// that jumps back separates nothing and empties no window. By connection, a packet also ends those
// sequences that were active least recently and are idle for too long at its time; packets that are
// two windows (20 s) older are forgotten, in the order in which they came.
//
// Memory: at most 130 bytes for each of rule.max_connections, 220 of max_pairs and 44 of
// max_packets: 69 MB with the limits of pktseq_rule_default, and half as much again while it grows.
struct pktseqi_tracking;
typedef struct pktseq_tracker {
    pktseq_rule rule;    // a limit that was 0 is the default here
    uint64_t packets, connections, sequences;  // pushed; begun (connections: only by connection)
    uint64_t evicted_connections, evicted_pairs, evicted_packets,  // forgotten while they counted
        evicted_contacts;
    int without_pairs, without_sources;  // set to 1 after init to skip these counters, which are
                         //   then 0
    // If set after init: called when the sequence in a slot has ended, before another begins there.
    // It must not use the tracker.
    void (*end_fn)(void *user_data, size_t slot);
    void *user_data;
    struct pktseqi_tracking *state;
    pktseq_allocator allocator;
} pktseq_tracker;

#define PKTSEQ_COUNTERS 12

// What a tracker reports about a packet.
typedef struct pktseq_tracked {
    uint64_t connection, sequence;  // numbers, in the order in which they began
    size_t position;                // of the packet in its sequence; 0 begins one
    size_t slot;                    // of the sequence, below rule.max_connections: unique among the
                                    //   open sequences, reused after its end
    int dropped;                    // 1: by rule.reference_names or .tcp_only; all else is 0
    int direction, same_connection; // see pktseq_table_track
    const char *protocol;           // the packet's, or renamed by rule.reference_names
    uint64_t token;                 // the rest of the token, see pktseq_token_text
    double counter[PKTSEQ_COUNTERS];  // pair_packets .. source_connections, see
                                    //   pktseq_table_track
} pktseq_tracked;

// Prepares a tracker; its memory grows with use, up to the limits.
//   fails with ARGUMENT (NULL, an impossible rule), MEMORY.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_tracker_init(pktseq_tracker *tracker, const pktseq_rule *rule,
                                             const pktseq_allocator *allocator,
                                             pktseq_error *err);

// Processes the next packet.
//   fails with ARGUMENT (NULL, also as packet->protocol; a time that is not finite), MEMORY; the
//              tracker is then unchanged.
PKTSEQ_DEF pktseq_status pktseq_tracker_push(pktseq_tracker *tracker, const pktseq_packet *packet,
                                             pktseq_tracked *tracked);

// Ends the sequences that are over at a time, as another connection's packet at that time would. By
// connection, an infinite time ends all. By the reference's rule, the open sequence ends if it has
// min_length packets and began more than `window` seconds before; a shorter one stays open.
PKTSEQ_DEF void pktseq_tracker_tick(pktseq_tracker *tracker, double now);

// Writes a token as in the column "token", cut to size - 1 bytes and terminated by 0.
//   token, protocol   as in pktseq_tracked
//   fails with ARGUMENT (NULL, size 0, not a token).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_token_text(uint64_t token, const char *protocol, char *text,
                                           size_t size);

// Frees a tracker; end_fn is not called.
PKTSEQ_DEF void pktseq_tracker_free(pktseq_tracker *tracker);

// ---- >>api-codec: a packet as a vector, and back ----------------------------------------------

// What a run of target features is.
typedef enum pktseq_group_kind {
    PKTSEQ_GROUP_NUMBER = 0,
    PKTSEQ_GROUP_FLAG,
    PKTSEQ_GROUP_CLASS  // the classes of a one-hot
} pktseq_group_kind;

// The features first .. first + count - 1 that together encode one field of a packet.
typedef struct pktseq_group {
    pktseq_group_kind kind;
    size_t first, count;
} pktseq_group;

// Largest D and C of a codec. Fitting a detector takes time proportional to the cube of C.
enum { PKTSEQ_MAX_FEATURES = 8192, PKTSEQ_MAX_CONTEXTS = 256 };

// How a table's protocols are named. A model knows only the names that it was trained with.
typedef enum pktseq_naming {
    PKTSEQ_NAMING_UNKNOWN = 0,  // not recorded: a file of sequences
    PKTSEQ_NAMING_DISSECTOR,    // by the program that wrote the CSV: "SSHv2", "TLSv1.3"
    PKTSEQ_NAMING_PORTS         // by transport and port, as from pcap: "SSH", "TLS"
} pktseq_naming;

// A schema with everything that was learned. Field f encodes to the features first[f] ..
// first[f+1] - 1. Features from D on are those of the context.
typedef struct pktseq_codec {
    size_t field_count;
    pktseq_field *field;  // (field_count) with means, deviations and categories filled in
    size_t *first;        // (field_count + 1)
    size_t features;      // D, inputs of the network
    size_t contexts;      // C, features of the context, after the D
    size_t targets;       // O, features to be predicted; D unless some fields are input only
    size_t *target;       // (O) index of each among the D
    size_t fields;        // F, fields that are not of the context; these come first
    pktseq_group *field_group;  // (F) each field's features among the D
    size_t groups;        // G, fields to be predicted
    pktseq_group *group;  // (G) each such field's features among the O
    size_t *group_field;  // (G) index of that field
    pktseq_rule rule;     // of the schema, without its secret: how sequences were made
    pktseq_naming naming;
    pktseq_allocator allocator;
} pktseq_codec;

// Returns how the protocols of a table are named.       Thread safe.
PKTSEQ_DEF pktseq_naming pktseq_table_naming(const pktseq_table *table);

// A field of a packet in its own units.
typedef struct pktseq_value {
    double number;     // seconds, bytes, 0 or 1, ..; for text, the index of the class
    const char *text;  // category or port class, in the codec's memory; NULL for numbers
} pktseq_value;

// Learns means, sample standard deviations (n - 1 in the denominator) and categories.
//   fails with ARGUMENT (NULL, no field to be predicted), MEMORY, MISMATCH (the table lacks a
//              column), DATA (a column to be z-scored is constant; no category; more features or
//              contexts than PKTSEQ_MAX_..).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_fit(pktseq_codec *codec, const pktseq_table *table,
                                          const pktseq_schema *schema,
                                          const pktseq_allocator *allocator, pktseq_error *err);

// What a row of a table is encoded to.
typedef enum pktseq_form {
    PKTSEQ_FORM_DENSE = 0,  // (D) the inputs of the network
    PKTSEQ_FORM_PACKED,     // (F) the same, one number per field: see pktseq_packing
    PKTSEQ_FORM_CONTEXT     // (C) the features of the context
} pktseq_form;

// Encodes rows row .. row + rows - 1 of a table.
//   x          (rows, D or F or C) out
//   unknown    (field_count) or NULL: increased by the number of cells with a category that the
//              codec does not know, which are encoded as all zeros
//   fails with ARGUMENT (also the context of a codec that has none), MEMORY, MISMATCH (the table
//              lacks a column), DATA (a number too large for pktseq_real); x and unknown are then
//              partly written.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_encode(const pktseq_codec *codec, const pktseq_table *table,
                                             size_t row, size_t rows, pktseq_form form,
                                             pktseq_real *x, size_t *unknown, pktseq_error *err);

// Decodes the features x (D): z-scores are undone, flags rounded to 0 or 1, and the most likely
// category and port class chosen (the first of equals). Fields of the context give NaN and NULL.
//   value      (field_count) out
//   fails with ARGUMENT (NULL, an empty codec).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_decode(const pktseq_codec *codec, const pktseq_real *x,
                                             pktseq_value *value);

// Decodes an output of the network, y (O), in the same way. Fields that are not predicted give NaN
// and NULL.
//   fails as pktseq_codec_decode does.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_decode_output(const pktseq_codec *codec,
                                                    const pktseq_real *y, pktseq_value *value);

// Returns the schema that reads files for a codec: its fields, borrowed, and the rule that formed
// its sequences (pktseq_rule_default if that is unknown). For NULL there are no fields. Set keep to
// read further columns.       Thread safe.
PKTSEQ_DEF pktseq_schema pktseq_codec_schema(const pktseq_codec *codec);

// Compares column, kind, role and categories of the fields of two codecs: only if all are equal can
// weights be transferred. Means and deviations may differ.
//   fails with ARGUMENT (NULL, empty), MISMATCH (err names the field).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_same(const pktseq_codec *a, const pktseq_codec *b,
                                           pktseq_error *err);

// Copies a codec and adds new categories: for each one-hot field, the strings that the codec does
// not know and that occur at least min_count times in the table, outside of held-out sequences.
// They follow the old ones, sorted by bytes. All else is unchanged, including means, so that old
// features keep their meaning: see pktseq_model_grow.
//   schema     its hold_out and repeats are used
//   fails with ARGUMENT, MEMORY, MISMATCH (the table lacks a column), DATA (too many categories).
//              Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_extend(pktseq_codec *extended, const pktseq_codec *codec,
                                             const pktseq_table *table, const pktseq_schema *schema,
                                             size_t min_count, const pktseq_allocator *allocator,
                                             pktseq_error *err);

// Writes a feature's name, "length" or "protocol-TCP", cut to size - 1 bytes and terminated by 0.
//   fails with ARGUMENT (NULL, size 0, feature not below D + C).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_codec_feature_name(const pktseq_codec *codec, size_t feature,
                                                   char *name, size_t size);

// Frees a codec.
PKTSEQ_DEF void pktseq_codec_free(pktseq_codec *codec);

// ---- >>api-dataset: pairs of (first N packets, the rest) --------------------------------------

// The decoder's first token.
typedef enum pktseq_start {
    PKTSEQ_START_TARGET = 0,  // the first target packet: the reference
    PKTSEQ_START_INPUT        // the last input packet: an honest forecast
} pktseq_start;

// How the sequences of a table are split into pairs.
typedef struct pktseq_dataset_options {
    size_t inputs;       // N, may be 0
    pktseq_start start;
    int drop_last;       // 1: omit the last sequence, as an off-by-one of the reference does
    double hold_out;     // share of the sequences, 0 to below 1, that are not trained on, in blocks
                         //   spread over the file; they become the last pairs
    const unsigned char *repeats;  // (sequences) number of pairs that each sequence makes: 0 omits
                         //   it; above 1 it is never held out. NULL: 1 each. Borrowed until
                         //   dataset_init returns
} pktseq_dataset_options;

// The layout of packed rows. With hundreds of categories, nearly all features of a packet are zero.
// A packed packet has one number per field: the number itself, or the index of its class (-1 for a
// category that the codec does not know).
typedef struct pktseq_packing {
    size_t features;            // D
    size_t fields;              // F, numbers in a packed row
    const pktseq_group *field;  // (F) each field's features among the D
    size_t groups;              // G
    const pktseq_group *group;  // (G) each group's features among the O
    const size_t *group_field;  // (G) the field of each group
} pktseq_packing;

// One sequence, split in two. A view into a dataset or the caller's memory.
typedef struct pktseq_pair {
    const pktseq_real *input;   // (N, D)
    const pktseq_real *first;   // (O) the decoder's first token; NULL means zeros
    const pktseq_real *target;  // (T, O)
    size_t inputs;              // N
    size_t targets;             // T
    const pktseq_real *context; // (T, C) of the target packets, for a detector; may be NULL
    const pktseq_packing *packing;     // if not NULL, these replace input, first and target:
    const pktseq_real *packed_input;   // (N, F)
    const pktseq_real *packed_first;   // (F) or NULL
    const pktseq_real *packed_target;  // (T, F)
} pktseq_pair;

// Encoded packets, and those of their sequences that have more than N packets.
typedef struct pktseq_dataset {
    size_t in, out;          // D, O
    pktseq_dataset_options options;
    size_t rows;
    const pktseq_real *x;    // (rows, D); NULL if the rows are packed
    const pktseq_real *y;    // (rows, O); equal to x if every feature is a target
    const pktseq_real *packed;  // (rows, F) instead of x and y where that is much smaller, or NULL
    pktseq_packing packing;  // of the codec, also if the rows are not packed; zeros after _wrap
    size_t contexts;         // C
    const pktseq_real *c;    // (rows, C); NULL if C is 0
    size_t pairs;
    size_t trained;          // pairs 0 .. trained - 1 are trained on, the others held out
    size_t *first_row;       // (pairs)
    size_t *length;          // (pairs) packets, N + T
    size_t longest;          // the largest T
    size_t skipped;          // sequences of at most N packets, without that of drop_last
    size_t field_count;      // of the codec
    size_t *unknown;         // (field_count) cells with a category unknown to the codec
    double seconds;          // from the first to the last packet of the table; 0 without timestamps
    int borrowed;            // 1: x and y are the caller's
    pktseq_allocator allocator;
} pktseq_dataset;

// Returns N = 3, PKTSEQ_START_TARGET, nothing held out or omitted.
PKTSEQ_DEF pktseq_dataset_options pktseq_dataset_options_default(void);

// Encodes a whole table. Codec and table are not needed afterwards. A packet takes 4 bytes per
// feature or, packed (from 64 features on, and 4 per field), 4 bytes per field.
//   fails with ARGUMENT, MEMORY, MISMATCH (the table lacks a column), DATA (no sequence has more
//              than N packets; a number too large for pktseq_real).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_dataset_init(pktseq_dataset *dataset, const pktseq_codec *codec,
                                             const pktseq_table *table,
                                             const pktseq_dataset_options *options,
                                             const pktseq_allocator *allocator, pktseq_error *err);

// Makes a dataset of features that the caller has encoded, without copying them.
//   x, y       (rows, in) and (rows, out), which may be the same; borrowed until
//              pktseq_dataset_free
//   start      (sequences + 1) as in pktseq_table
//   fails with ARGUMENT, MEMORY, DATA (no sequence has more than N packets).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_dataset_wrap(pktseq_dataset *dataset, const pktseq_real *x,
                                             size_t in, const pktseq_real *y, size_t out,
                                             const size_t *start, size_t sequences,
                                             const pktseq_dataset_options *options,
                                             const pktseq_allocator *allocator, pktseq_error *err);

// Copies the features of a row (below dataset->rows), packed or not, to x (D) and y (O); either may
// be NULL.
//   fails with ARGUMENT.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_dataset_dense(const pktseq_dataset *dataset, size_t row,
                                              pktseq_real *x, pktseq_real *y);

// Returns pair `index` (below dataset->pairs), a view into the dataset; all zero if there is none.
// Thread safe.
PKTSEQ_DEF pktseq_pair pktseq_dataset_pair(const pktseq_dataset *dataset, size_t index);

// Frees a dataset; x and y of pktseq_dataset_wrap remain.
PKTSEQ_DEF void pktseq_dataset_free(pktseq_dataset *dataset);

// ---- >>api-model: the parameters, and the memory to work with them ----------------------------

// The only list of tensors: X(field, PyTorch's name, rows, cols); cols 0 marks a vector (bias).
// The fields below, sizes, checkpoint order and tests are generated from it.
#define PKTSEQ_TENSORS(X) \
    X(enc_w_ih, "encoder.gru.weight_ih_l0", 3 * H, D) \
    X(enc_w_hh, "encoder.gru.weight_hh_l0", 3 * H, H) \
    X(enc_b_ih, "encoder.gru.bias_ih_l0", 3 * H, 0) \
    X(enc_b_hh, "encoder.gru.bias_hh_l0", 3 * H, 0) \
    X(dec_w_ih, "decoder.gru.weight_ih_l0", 3 * H, O) \
    X(dec_w_hh, "decoder.gru.weight_hh_l0", 3 * H, H) \
    X(dec_b_ih, "decoder.gru.bias_ih_l0", 3 * H, 0) \
    X(dec_b_hh, "decoder.gru.bias_hh_l0", 3 * H, 0) \
    X(out_w, "decoder.out.weight", O, H) \
    X(out_b, "decoder.out.bias", O, 0)

#define PKTSEQ_TENSOR_COUNT 10

// Pointers into one flat block. Gate rows are in PyTorch's order r, z, n.
typedef struct pktseq_tensors {
#define PKTSEQI_X(field, name, rows, cols) pktseq_real *field;
    PKTSEQ_TENSORS(PKTSEQI_X)
#undef PKTSEQI_X
} pktseq_tensors;

// One tensor, described.
typedef struct pktseq_tensor {
    const char *name;   // PyTorch's
    size_t rows, cols;  // cols = 1 for a vector
    int rank;           // 2 matrix, 1 vector
    pktseq_real *data;  // (rows, cols)
} pktseq_tensor;

// What training minimises, and thus what an output means.
typedef enum pktseq_loss {
    PKTSEQ_LOSS_MSE = 0,  // mean over O of the squared error: the reference
    PKTSEQ_LOSS_NLL       // negative log-likelihood: numbers Gaussian (of variance 1, without the
                          //   constant), flags Bernoulli, classes categorical; outputs are means
                          //   and probabilities
} pktseq_loss;

// What defines a model apart from its weights.
typedef struct pktseq_config {
    size_t in, out, hidden;     // D, O, H
    size_t inputs;              // N of its training
    pktseq_start start;         // first token of its training
    pktseq_loss loss;
    const pktseq_group *group;  // (groups) borrowed until model_init, which copies them; NULL: each
    size_t groups;              //   output is a number of its own
} pktseq_config;

// The parameters of a network.
typedef struct pktseq_model {
    pktseq_config config;
    size_t parameters;      // numbers in the block
    pktseq_real *block;     // (parameters) every tensor, in the order of PKTSEQ_TENSORS, no gaps
    pktseq_tensors tensor;  // named pointers into the block
    pktseq_group *owned_group;
    void *memory;           // holds the block, which is aligned to a cache line
    pktseq_allocator allocator;
} pktseq_model;

// Returns H = 256, MSE, and D, O, N, first token and groups of the dataset (NULL: zeros).
PKTSEQ_DEF pktseq_config pktseq_config_default(const pktseq_dataset *dataset);

// Allocates a model and draws its weights from U(-1/sqrt(H), 1/sqrt(H)), as `seed` determines.
//   fails with ARGUMENT (in, out or hidden is 0; groups that do not cover the outputs in order),
//              MEMORY.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_model_init(pktseq_model *model, const pktseq_config *config,
                                           uint64_t seed, const pktseq_allocator *allocator,
                                           pktseq_error *err);

// Describes tensor `index` (below PKTSEQ_TENSOR_COUNT): a view into the model.
//   fails with ARGUMENT (NULL, an empty model, no such index).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_model_tensor(const pktseq_model *model, size_t index,
                                             pktseq_tensor *tensor);

// Copies a trained model and adds the features that pktseq_codec_extend has added to its codec. The
// new model forecasts old traffic as before and is meant to be trained on the new: it treats a new
// category as an unknown one (its input weights are zeros), and forecasts it about as often as the
// old one of its group with the lowest bias (which it gets; its output weights are zeros).
//   config     as for pktseq_model_init, but hidden is the model's
//   from, to   codecs of model and of config; both NULL: the same features in the same order
//   fails with ARGUMENT, MEMORY, MISMATCH (the categories of `to` do not begin with those of
//              `from`; a codec does not fit its model).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_model_grow(pktseq_model *grown, const pktseq_config *config,
                                           const pktseq_model *model, const pktseq_codec *from,
                                           const pktseq_codec *to,
                                           const pktseq_allocator *allocator, pktseq_error *err);

// Frees a model.
PKTSEQ_DEF void pktseq_model_free(pktseq_model *model);

struct pktseqi_working;

// Results of forward and backward, and their memory. Each thread of the caller needs its own; only
// pktseq functions write to it.
typedef struct pktseq_work {
    pktseq_config config;
    size_t batch, targets;  // the largest B and T that fit
    int threads;            // of OpenMP, used for batches that are large enough

    // results of the last forward
    size_t count;           // B, sequences
    size_t steps;           // S = N + T of the longest sequence
    double loss;            // minimised: mean over sequences of sequence loss; 0 without targets
    double report;          // reported: mean over sequences of sequence loss / T
    double *sequence_loss;  // (B) in the caller's order

    // gradients, laid out like the model's parameters
    size_t parameters;
    pktseq_real *grad_block;  // (parameters)
    pktseq_tensors grad;      // named pointers into the block

    struct pktseqi_working *state;  // activations and scratch memory
    void *memory;                   // one block for all of the above
    pktseq_allocator allocator;
} pktseq_work;

// Allocates memory for models of this config and batches of up to `batch` sequences with up to
// `targets` target packets each. Gradients are zero.
//   threads    at most 1024; 0 = OpenMP's choice; ignored without OpenMP
//   fails with ARGUMENT, MEMORY.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_work_init(pktseq_work *work, const pktseq_config *config,
                                          size_t batch, size_t targets, int threads,
                                          const pktseq_allocator *allocator, pktseq_error *err);

// Returns the last forward's output for a pair (index in the caller's order) at target step t: a
// view (O), or NULL.
PKTSEQ_DEF const pktseq_real *pktseq_work_output(const pktseq_work *work, size_t pair, size_t t);

// Returns the hidden state of a pair after its N input packets: a view (H), or NULL.
PKTSEQ_DEF const pktseq_real *pktseq_work_encoded(const pktseq_work *work, size_t pair);

// Frees a work.
PKTSEQ_DEF void pktseq_work_free(pktseq_work *work);

// ---- >>api-step: forward, backward, one step down the gradient --------------------------------

// Runs B pairs through encoder and decoder (see THE MATHEMATICS). A pure function of its inputs.
//   work     loss, report, sequence_loss and pktseq_work_output are the results
//   pair     (count) all with N = config.inputs, T from 1; target may be NULL (then no loss)
//   teacher  (count) 1 = that sequence is teacher-forced; NULL = none is
//   fails with ARGUMENT (NULL, count 0, teacher forcing without target), MISMATCH (another config,
//              more or longer sequences than work holds); the previous results then remain.
PKTSEQ_DEF pktseq_status pktseq_forward(const pktseq_model *model, pktseq_work *work,
                                        const pktseq_pair *pair, size_t count,
                                        const unsigned char *teacher);

// Backpropagates through time: adds d work->loss / d parameter to work->grad. Call it at most once
// per forward, whose activations it overwrites, with the model unchanged in between.
//   fails with ARGUMENT (no forward with targets before), MISMATCH (another config).
PKTSEQ_DEF pktseq_status pktseq_backward(const pktseq_model *model, pktseq_work *work);

// Sets the gradients to zero, as pktseq_work_init does.
//   fails with ARGUMENT (NULL, an empty work).
PKTSEQ_DEF pktseq_status pktseq_zero_grad(pktseq_work *work);

// Scales the gradients to a Euclidean norm of at most max_norm (above 0), as
// torch.nn.utils.clip_grad_norm_ does: by max_norm / (norm + 1e-6) if that is below 1.
//   norm     out, before scaling; may be NULL
//   fails with ARGUMENT, DIVERGED (norm not finite; the gradients are then unchanged).
PKTSEQ_DEF pktseq_status pktseq_clip_grad_norm(pktseq_work *work, double max_norm, double *norm);

// Updates parameter -= learning_rate * gradient.
//   fails with ARGUMENT (NULL), MISMATCH (another config).
PKTSEQ_DEF pktseq_status pktseq_sgd_step(pktseq_model *model, const pktseq_work *work,
                                         double learning_rate);

// Updates with momentum, as torch.optim.SGD does: velocity = momentum * velocity + gradient, then
// parameter -= learning_rate * velocity.
//   velocity   (work->parameters) the caller's, zeros at first
//   fails as pktseq_sgd_step does.
PKTSEQ_DEF pktseq_status pktseq_momentum_step(pktseq_model *model, const pktseq_work *work,
                                              double learning_rate, double momentum,
                                              pktseq_real *velocity);

// One pair through the network of >>plain, forward and backward, in double: to look inside, and to
// check the fast functions against. Rows are steps s, N of the encoder, then T of the decoder; out,
// y and dout are zero in the rows of the encoder.
typedef struct pktseq_plain {
    size_t steps, width;   // S = N + T; the larger of D and O
    double loss;           // of the sequence: see THE MATHEMATICS, and work->sequence_loss
    double *x;             // (S, width) inputs: packets, then tokens after LeakyReLU
    double *h;             // (S + 1, H) h[s] the state before step s, h[s + 1] after it
    double *gate;          // (S, 4, H) r z n q
    double *out;           // (S, O) outputs; with NLL means and probabilities
    double *y;             // (S + 1, O) y[N] the first token, y[s + 1] the true packet of step s
    double *dout;          // (S, O) d loss / d (W h + b)
    double *dx, *dh;       // (S, width), (S + 1, H) d loss / d x, h
    double *grad;          // (parameters) d loss / d parameter, laid out like the model's block
    double *a, *b;         // (3, H) scratch
    void *memory;          // one block for all of the above
    pktseq_allocator allocator;
} pktseq_plain;

// Computes loss and gradient of one pair, not divided by B or T, and keeps every intermediate
// value. It is 13 to 21 times slower than forward and backward on one thread.
//   pair      with its target, N = config.inputs, T from 1, packed or not
//   teacher   1 = teacher-forced
//   fails with ARGUMENT (NULL, an empty model, no target), MISMATCH (a pair that does not fit the
//              model), MEMORY.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_plain_init(pktseq_plain *plain, const pktseq_model *model,
                                           const pktseq_pair *pair, int teacher,
                                           const pktseq_allocator *allocator, pktseq_error *err);

// Frees what pktseq_plain_init has computed.
PKTSEQ_DEF void pktseq_plain_free(pktseq_plain *plain);

// ---- >>api-train: the loop --------------------------------------------------------------------

// How an iteration chooses its pairs.
typedef enum pktseq_order {
    PKTSEQ_ORDER_RANDOM = 0,  // drawn with replacement: the reference
    PKTSEQ_ORDER_SHUFFLED,    // epochs, each in a new order
    PKTSEQ_ORDER_FILE         // epochs in the order of the file
} pktseq_order;

// Bits of pktseq_progress.events.
enum {
    PKTSEQ_EVENT_REPORT = 1,     // report_interval iterations have passed
    PKTSEQ_EVENT_LOSS = 2,       // training->loss has a new entry
    PKTSEQ_EVENT_MILESTONE = 4,  // progress.milestone percent are done
    PKTSEQ_EVENT_END = 8         // the last iteration is done
};

struct pktseq_progress;

// Settings of a run. Start from pktseq_train_config_default. A resumed run gives the same bits as
// an uninterrupted one if all but iterations, threads and the reporting settings are the same.
typedef struct pktseq_train_config {
    size_t iterations;  // in all, counted from the start of the run, also when resumed
    size_t batch;       // B
    double learning_rate;
    double momentum;              // of SGD, 0 to below 1
    double clip;                  // largest norm of the gradient; 0 = no limit
    double teacher_forcing;       // share of sequences, 0 to 1
    pktseq_order order;
    uint64_t seed;
    size_t report_interval;       // iterations; 0 = never
    size_t loss_interval;         // iterations averaged in each entry of the loss history; 0 = none
    unsigned char milestone[100]; // (milestone_count) percents, rising
    size_t milestone_count;
    int threads;                  // 0 = OpenMP's choice
    // Called after every iteration on the caller's thread, while the model is not being changed; a
    // non-zero result stops the training. May be NULL.
    int (*progress)(void *user_data, const struct pktseq_progress *progress);
    void *user_data;
} pktseq_train_config;

// Everything besides the weights that a run needs in order to resume as if it had never stopped. A
// training loop of your own may fill it for pktseq_save: config, iteration (at most
// config.iterations), loss and losses (at most iteration) and, with momentum, velocity (from the
// allocator) and parameters.
typedef struct pktseq_training {
    pktseq_train_config config;  // of the run, without callback and user_data and, in a checkpoint,
                                 //   threads
    size_t iteration;            // done so far
    double report_sum;           // of the losses since the last report
    size_t report_count;
    double loss_sum;             // of the losses since the last entry of the loss history
    size_t loss_sum_count;
    double *loss;                // (losses) the loss history
    size_t losses;
    size_t loss_capacity;
    pktseq_real *velocity;       // (parameters) of SGD with momentum; else NULL
    size_t parameters;           // of the model, if there is a velocity; else 0
    uint64_t data_hash;          // of the dataset it was trained on
    size_t drop_last;            // options of that dataset, so that a resumed run can rebuild it
    double hold_out;
    char description[512];       // by the program that trained: data, date, settings; UTF-8 or ""
    pktseq_allocator allocator;
} pktseq_training;

// What the callback receives; valid until it returns.
typedef struct pktseq_progress {
    size_t iteration, iterations;
    int events;                       // PKTSEQ_EVENT_.. bits
    int milestone;                    // percent, the largest if several coincide; or 0
    double loss;                      // of this iteration, per packet: work->report
    double mean_loss;                 // its mean since the last report
    const pktseq_model *model;        // current; may be saved
    const pktseq_training *training;  // may be saved with it
} pktseq_progress;

// Returns the reference's settings: 100,000 iterations of one pair, rate 1e-4, no momentum, no
// clipping, free running, random order, seed 1, a report and a loss entry every 100, milestones 20
// 40 55 70 85 100.
PKTSEQ_DEF pktseq_train_config pktseq_train_config_default(void);

// Trains until config->iterations are done: forward, backward, step, report.
//   training   zeroed to begin; to resume, from pktseq_load or an earlier call
//   fails with ARGUMENT, MISMATCH (model and dataset; other data than before), STOPPED (by the
//              callback) or MEMORY (all is as after the last iteration), DIVERGED (model and
//              training are those of the last loss entry or milestone, or of the start, at which
//              all was finite). Not for one model from two threads.
PKTSEQ_DEF pktseq_status pktseq_train(pktseq_model *model, const pktseq_dataset *dataset,
                                      const pktseq_train_config *config,
                                      pktseq_training *training, pktseq_error *err);

// Frees the loss history and the velocity.
PKTSEQ_DEF void pktseq_training_free(pktseq_training *training);

// ---- >>api-use: predict and score -------------------------------------------------------------

// Continues a sequence free running from pair->input and pair->first. pair->target is not used.
//   work       overwritten
//   out        (steps, O); unchanged on failure
//   fails as pktseq_forward does.
PKTSEQ_DEF pktseq_status pktseq_rollout(const pktseq_model *model, pktseq_work *work,
                                        const pktseq_pair *pair, size_t steps, pktseq_real *out);

// Computes the reference's anomaly score of one sequence: see THE MATHEMATICS.
//   work       overwritten
//   score      out; unchanged on failure
//   fails as pktseq_forward does, and with ARGUMENT (no target).
PKTSEQ_DEF pktseq_status pktseq_score(const pktseq_model *model, pktseq_work *work,
                                      const pktseq_pair *pair, double *score);

// ---- >>api-detect: one score per sequence, a threshold, and the reasons ----------------------

// How the distance between a packet and its forecast is measured.
typedef enum pktseq_measure {
    PKTSEQ_MEASURE_RMS = 0,   // root of the mean over O of the squared error: the reference
    PKTSEQ_MEASURE_SURPRISAL  // -log p in nats, of models with PKTSEQ_LOSS_NLL: see THE MATHEMATICS
} pktseq_measure;

// Zero means: the default, the reference's score.
typedef struct pktseq_detector_options {
    pktseq_measure measure;
    int one_step_ahead;    // 1: each packet is forecast from the true packets before it; 0: free
                           //   running, from forecasts: the reference
    const double *weight;  // (groups) of each group of outputs, 0 or more; NULL = 1 each. Borrowed
                           //   until detector_init returns
    double context;        // share of the context in the score, 0 to below 1; 0 = none
    int by_length;         // 1: scores are relative to normal sequences of about the same length
                           //   (up to 4, 8, 16 packets, or more): 1 is their mean plus two standard
                           //   deviations
    double false_positive_rate;  // share of normal sequences that may exceed the threshold; 0:
                           //   0.01, negative: none of those it is fitted to
} pktseq_detector_options;

#define PKTSEQ_QUANTILES 65

// Classes of length for running scores: up to 4, 8, .. 256 packets, or more.
#define PKTSEQ_RUNNING 8

// The distribution of normal scores: zeros before fit.
typedef struct pktseq_distribution {
    double quantile[PKTSEQ_QUANTILES];  // scores at the shares 0, 1/64, .. 1
    double tail[4];        // generalised Pareto distribution of the highest scores: the score that
                           //   it begins at, share of sequences above that, shape, scale
} pktseq_distribution;

// Turns forecasts into scores: options, and what was learned from normal traffic.
typedef struct pktseq_detector {
    pktseq_detector_options options;  // weight is NULL; a rate of 0 was negative before
    size_t out, groups, contexts;     // O, groups, C of the model and the codec
    double *weight;        // (groups)
    double *error;         // (O) mean squared error of each output on normal traffic; 1 before fit
                           //   and if the measure does not need it
    double *mean;          // (C) of the context's features
    double *precision;     // (C, C) inverse of their covariance
    double scale[2];       // of the network's and the context's part of a packet's score
    double length_scale[4];  // by_length: divisor of the scores of each class of length
    size_t sequences;      // it was fitted to; 0 before
    double threshold;      // a score above it is an alarm; DBL_MAX before fit
    double threshold_low, threshold_high;  // 95 % range of the threshold, see
                           //   pktseq_detector_threshold; -DBL_MAX, DBL_MAX where it is unbounded
    pktseq_distribution scores;  // of normal sequences
    double dispersion;     // variance of the number of high scores between tenths of the file,
                           //   relative to that by chance; at least 1
    // For scores while a sequence is open, at 4, 8, 16 .. packets:
    double running_scale[PKTSEQ_RUNNING];  // divisor of those at up to 4, 8, 16 .. packets
    double running_threshold;  // exceeded by the share false_positive_rate of normal sequences at
                           //   any time, while open or at their end
    pktseq_distribution running;  // of each sequence's highest score, running or at its end
    double seconds;        // that the sequences span; 0 if unknown
    double unknown;        // share of their packets with a string that the codec does not know
    double *memory;
    pktseq_allocator allocator;
} pktseq_detector;

// Returns the options that find most: surprisal one step ahead, by length, and context 0.65 if the
// codec has one. If there is a "token", only it is scored; the other fields then only help the
// network to learn.
//   weight     (codec->groups) out; the options point to it
PKTSEQ_DEF pktseq_detector_options pktseq_detector_options_recommended(const pktseq_codec *codec,
                                                                       double *weight);

// Makes a detector that has seen no data: enough for the reference's score and a threshold of your
// own.
//   contexts   C of the codec, or 0
//   options    NULL: all defaults
//   fails with ARGUMENT (options; surprisal of a model not trained for it), MEMORY.
//              Thread safe.
PKTSEQ_DEF pktseq_status pktseq_detector_init(pktseq_detector *detector, const pktseq_model *model,
                                              size_t contexts,
                                              const pktseq_detector_options *options,
                                              const pktseq_allocator *allocator,
                                              pktseq_error *err);

// Learns from normal traffic: mean errors, the context's mean and covariance, mean scores by
// length, the distribution of scores, and the threshold for false_positive_rate. The model must not
// have been trained on this traffic, or only on the pairs before dataset->trained: their scores are
// then multiplied by the ratio of the two medians, if that is above 1, because all pairs together
// tell more about rare scores than the few held out.
//   fails with ARGUMENT, MEMORY, MISMATCH (another model, other context), DIVERGED (a score is not
//              finite; context columns are linearly dependent beyond the precision of a double);
//              the detector is then unchanged. Not for one detector from two threads.
PKTSEQ_DEF pktseq_status pktseq_detector_fit(pktseq_detector *detector, const pktseq_model *model,
                                             const pktseq_dataset *dataset, int threads,
                                             pktseq_error *err);

// Computes the threshold that the share `rate` of normal sequences exceeds, from the distribution
// that was fitted: a quantile, in the tail of a generalised Pareto distribution (Hosking and Wallis
// 1987, Technometrics 29), for the rate lowered to rate * n rate / (n rate + 1), which is more
// careful with fewer sequences n. At rate 0 it is the highest score seen.
//   live       0: sequences exceed it at their end; 1: at any time, running or at their end
//   low, high  out, or NULL: 95 % range of the rate on later traffic of this kind; low is 0 if
//              n rate < 2
//   fails with ARGUMENT (NULL, a rate not from 0 to 1), MISMATCH (a detector that was not fitted).
//              Thread safe.
PKTSEQ_DEF pktseq_status pktseq_detector_threshold(const pktseq_detector *detector, int live,
                                                   double rate, double *threshold, double *low,
                                                   double *high);

// Computes the rate, at most 1, that gives so many false alarms per hour (0 or more), if as many
// sequences arrive as in the traffic it was fitted to.
//   fails with ARGUMENT, MISMATCH (it was not fitted, or the time span of its sequences is
//              unknown).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_detector_rate(const pktseq_detector *detector,
                                              double alarms_per_hour, double *rate);

#define PKTSEQ_DRIFT_NAMES 8

// Accumulates evidence whether traffic still is what the detector was fitted to. Zero it, set
// window, and add each scored sequence, of a file or live. Its size is constant.
typedef struct pktseq_drift {
    double window;      // sequences: one added so many sequences ago has the weight 1/e (for live
                        //   use about 500); 0 = all weigh the same (for a file)
    double sequences, squares;        // sums of these weights and of their squares
    double packets, unknown, above;   // the same, of packets, unknown ones, sequences above
    double below[7];    // sequences whose score does not exceed the k-th octile of normal ones
    double named, name_count[PKTSEQ_DRIFT_NAMES];  // unknown packets with a name; the most frequent
    char name[PKTSEQ_DRIFT_NAMES][24];  //   names (Misra and Gries 1982): counts are lower bounds
    unsigned drifted;   // the last verdict, which holds until traffic is clearly normal again
} pktseq_drift;

// Adds a scored sequence.
//   score     of the whole sequence, from pktseq_detector_score
//   above     1 if it raised an alarm (live: at any time)
//   packets   of the sequence; unknown: those with a string that the codec does not know. If only
//             a file's totals are known, pass them with one of its sequences and 0 with the others
//   fails with ARGUMENT (NULL, a score that is not finite, more unknown than packets); nothing is
//             then added. Not for one drift from two threads.
PKTSEQ_DEF pktseq_status pktseq_drift_add(pktseq_drift *drift, const pktseq_detector *detector,
                                          double score, int above, double packets,
                                          double unknown);

// Counts an unknown packet by a name such as "UDP/443": transport and lower port, which is the
// service's; without ports (ICMP) the transport alone. Does nothing with NULL.
//   transport   an IP protocol number
PKTSEQ_DEF void pktseq_drift_unknown(pktseq_drift *drift, unsigned transport, unsigned src_port,
                                     unsigned dst_port);

enum { PKTSEQ_DRIFT_ABOVE = 1, PKTSEQ_DRIFT_UNKNOWN = 2, PKTSEQ_DRIFT_SCORES = 4 };

// Conclusions from the sequences added so far.
typedef struct pktseq_verdict {
    int judged;          // 0: fewer than 100 sequences, too few to tell; with a window they count
                         //   as at most twice that many, so up to a window of 50 it stays 0
    unsigned drifted;    // 0: as calibrated; else PKTSEQ_DRIFT_.. bits
    double above, expected, above_limit;      // share of sequences above the threshold, the share
                         //   that was requested, and the largest that is still as calibrated
    double unknown, unknown_expected, unknown_limit;  // the same of packets with unknown strings
    double distance, distance_limit;          // largest difference between the distribution of the
                         //   scores and that of normal ones (Kolmogorov and Smirnov's)
    const char *name;    // the most frequent name of unknown packets, in the drift, or ""
    double name_share;   // at least this share of the named unknown packets has it
} pktseq_verdict;

// Compares the sequences added so far with calibration. The limits allow for chance and for the
// drift between parts of one recording. Once drifted, a value must fall below 0.7 of its limit to
// be as calibrated again, so that verdicts do not flicker.
//   rate      false-positive rate that the threshold was chosen for; negative: unknown (a threshold
//             of your own), and the share above is not judged
//   fails with ARGUMENT (NULL, a rate above 1), MISMATCH (as pktseq_detector_threshold). Not for
//             one drift from two threads.
PKTSEQ_DEF pktseq_status pktseq_drift_verdict(pktseq_drift *drift, const pktseq_detector *detector,
                                              double rate, pktseq_verdict *verdict);

// Scores count pairs. A pair has the same score, to the bit, alone, in any batch, and as a stream.
//   work      overwritten
//   score     (count) out
//   fails as pktseq_forward does, and with ARGUMENT (a pair without target, or without a context
//             that is scored), MISMATCH.
PKTSEQ_DEF pktseq_status pktseq_detector_score(const pktseq_detector *detector,
                                               const pktseq_model *model, pktseq_work *work,
                                               const pktseq_pair *pair, size_t count,
                                               double *score);

// Scores every pair of a dataset.
//   threads   as in pktseq_work_init
//   score     (dataset->pairs) out
//   fails with ARGUMENT, MEMORY, MISMATCH.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_detector_score_all(const pktseq_detector *detector,
                                                   const pktseq_model *model,
                                                   const pktseq_dataset *dataset, int threads,
                                                   double *score, pktseq_error *err);

// Scores one pair and splits the score by cause. pktseq_work_output gives the forecasts afterwards.
//   work      overwritten
//   part      (T, groups + C) out: what each group of outputs and each context feature added at
//             each packet; their sum is the score, except for rounding. Those of the context may be
//             negative
//   score     out
//   fails as pktseq_detector_score does.
PKTSEQ_DEF pktseq_status pktseq_detector_explain(const pktseq_detector *detector,
                                                 const pktseq_model *model, pktseq_work *work,
                                                 const pktseq_pair *pair, double *part,
                                                 double *score);

// A reason for a score: one column, and the packet where it added most.
typedef struct pktseq_reason {
    const char *column;          // in the codec's memory
    double share;                // of all that raised the score
    size_t packet;               // of the sequence, from 1
    char expected[64], seen[64]; // in the packet's own units, UTF-8
} pktseq_reason;

// Finds the up to three columns that added most, in falling order, at the target steps first ..
// past - 1 of a pair: all steps for a sequence, one for a packet.
//   work, part   as pktseq_detector_explain has left them for this pair
//   reason       (3) out; reasons: their number
//   fails with ARGUMENT (NULL, no such steps), MISMATCH (another codec, other work). Thread safe.
PKTSEQ_DEF pktseq_status pktseq_detector_reasons(const pktseq_detector *detector,
                                                 const pktseq_codec *codec,
                                                 const pktseq_work *work, const pktseq_pair *pair,
                                                 const double *part, size_t first, size_t past,
                                                 pktseq_reason *reason, size_t *reasons);

// Frees a detector.
PKTSEQ_DEF void pktseq_detector_free(pktseq_detector *detector);

// Scores one sequence whose packets come one at a time, in constant memory.
typedef struct pktseq_stream {
    const pktseq_model *model;        // borrowed
    const pktseq_detector *detector;  // borrowed
    size_t packets;                   // pushed since the sequence began
    double network, context;          // sums over the packets scored so far
    pktseq_real *h, *h2;              // (H) state, and the next
    pktseq_real *gate;                // (4H)
    pktseq_real *last;                // (O) the previous packet, as a target
    pktseq_real *token;               // (O), or the encoder's (D)
    pktseq_real *out;                 // (O) the last forecast
    pktseq_real *memory;              // holds these arrays
    pktseq_allocator allocator;
} pktseq_stream;

// Prepares a stream for a first sequence.
//   fails with ARGUMENT, MEMORY, MISMATCH (detector and model).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_stream_init(pktseq_stream *stream, const pktseq_model *model,
                                            const pktseq_detector *detector,
                                            const pktseq_allocator *allocator, pktseq_error *err);

// Adds the next packet of the sequence.
//   x, y      (D), (O) its features and its target features, which may be the same
//   c         (C) its context; NULL if that is not scored
//   fails with ARGUMENT.
PKTSEQ_DEF pktseq_status pktseq_stream_push(pktseq_stream *stream, const pktseq_real *x,
                                            const pktseq_real *y, const pktseq_real *c);

// Computes the score of the packets so far.
//   fails with ARGUMENT (no packet after the N input packets yet).
PKTSEQ_DEF pktseq_status pktseq_stream_score(const pktseq_stream *stream, double *score);

// Begins a new sequence with the next packet.
PKTSEQ_DEF void pktseq_stream_reset(pktseq_stream *stream);

// Frees a stream.
PKTSEQ_DEF void pktseq_stream_free(pktseq_stream *stream);

// Computes a quantile: the value below which the share q (0 to 1) of value (count) lies, with
// linear interpolation, as numpy.quantile does.
//   fails with ARGUMENT (count 0, q, a value that is not finite), MEMORY.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_quantile(const double *value, size_t count, double q,
                                         double *quantile, const pktseq_allocator *allocator,
                                         pktseq_error *err);

// How well scores rank anomalous sequences above normal ones.
typedef struct pktseq_evaluation {
    size_t normal, anomalous;
    double auc;                 // area under the ROC curve: the chance that an anomalous sequence
                                //   scores higher than a normal one, ties count one half
    double average_precision;   // sum over the distinct scores, falling, of (recall gained) *
                                //   precision; chance level: anomalous / all
    double tpr_at_1_percent;    // share of the anomalous above the lowest threshold that at most
    double tpr_at_0_1_percent;  //   1 % (0.1 %) of the normal exceed
} pktseq_evaluation;

// Evaluates score (count) against the truth.
//   anomalous   (count) 1 or 0
//   fails with ARGUMENT (a score that is not finite), MEMORY, DATA (all are normal, or all
//               anomalous).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_evaluate(const double *score, const unsigned char *anomalous,
                                         size_t count, pktseq_evaluation *evaluation,
                                         const pktseq_allocator *allocator, pktseq_error *err);

// ---- >>api-watch: packets in, alarms out ------------------------------------------------------

// A sequence whose score exceeds the threshold; also one that did so before, at its end.
typedef struct pktseq_alarm {
    double begin, time;             // of the sequence's first packet, and of its last so far
    unsigned char src[16], dst[16]; // of its first packet, as are transport, ICMP type and ports
    uint16_t src_port, dst_port;
    uint8_t transport, icmp_type, icmp_code;
    char protocol[24];              // the first name that differs from the transport's, or that
    uint64_t connection, sequence;  // the tracker's numbers
    size_t packets;                 // so far
    double bytes;
    double score, threshold;        // the watcher's threshold
    int repeated;                   // 1: this sequence has raised an alarm before
    int ended;                      // 1: score is that of pktseq_detector_score; 0: a running score
    size_t reasons;
    pktseq_reason reason[3];        // those that added most, in falling order
} pktseq_alarm;

// Zero means: the default.
typedef struct pktseq_watcher_options {
    pktseq_rule rule;     // how packets are grouped; min_length 0: the codec's, with this secret
    double threshold;     // 0: the detector's for live use
    double false_positive_rate;  // share of normal sequences that may raise an alarm at any
                          //   time; 0: the detector's. With a threshold of your own, it is only
                          //   used by adapt
    double adapt;         // seconds, 0 = off: the threshold is recomputed every 100 sequences from
                          //   those that ended in these last seconds (at most 4,096; at least 200
                          //   and twice 1 / false_positive_rate). An attack moves it little: of
                          //   those above it, at most 2 in 1,000 from one source, and twice
                          //   false_positive_rate in all, are included
    // Called for each alarm, which is valid until it returns. It must not use the watcher.
    void (*alarm_fn)(void *user_data, const pktseq_alarm *alarm);
    void *user_data;
} pktseq_watcher_options;

// Follows every sequence of a live stream of packets and scores it, to the bit, as
// pktseq_detector_score_all scores a file's. At 4, 8, 16, 32 .. packets, until it has raised an
// alarm, a sequence is compared by a running score: that of its packets so far, relative to normal
// sequences at that length. At its end it is compared by its score; if it has raised an alarm, that
// is reported again, even if the score is now below the threshold. Memory: that of its tracker, and
// slot_size bytes for each of at most rule.max_connections open sequences: 110 MB in all with the
// recommended model.
struct pktseqi_watching;
typedef struct pktseq_watcher {
    pktseq_tracker tracker;
    pktseq_watcher_options options;
    uint64_t sequences;            // that have ended
    uint64_t anomalous;            // sequences that have raised an alarm,
    uint64_t alarms;               // those of them that did so while they were open
    uint64_t unknown;              // packets with a string that the codec does not know
    uint64_t adapted;              // how often options.threshold was recomputed
    pktseq_drift drift;            // of the sequences that have ended, with a window of 500, which
                                   //   may be changed after init; may be judged at any time
    size_t slot_size;
    struct pktseqi_watching *state;
    pktseq_allocator allocator;
} pktseq_watcher;

// Prepares a watcher. Model, codec and detector are borrowed until pktseq_watcher_free.
//   options    NULL: all defaults, without a callback
//   fails with ARGUMENT, MEMORY, MISMATCH (they do not fit together; a column of the codec that
//              packets do not have; false_positive_rate without a fitted distribution).
//              Thread safe.
PKTSEQ_DEF pktseq_status pktseq_watcher_init(pktseq_watcher *watcher, const pktseq_model *model,
                                             const pktseq_codec *codec,
                                             const pktseq_detector *detector,
                                             const pktseq_watcher_options *options,
                                             const pktseq_allocator *allocator,
                                             pktseq_error *err);

// Processes the next packet; alarms are raised before it returns.
//   fails as pktseq_tracker_push does; the watcher is then unchanged.
PKTSEQ_DEF pktseq_status pktseq_watcher_push(pktseq_watcher *watcher, const pktseq_packet *packet);

// Ends the sequences that are over at a time, which may be infinite: see pktseq_tracker_tick.
PKTSEQ_DEF void pktseq_watcher_tick(pktseq_watcher *watcher, double now);

// Frees a watcher; open sequences raise no alarm.
PKTSEQ_DEF void pktseq_watcher_free(pktseq_watcher *watcher);

// ---- >>api-files: checkpoints and whole files -------------------------------------------------

// Writes a checkpoint into memory.
//   codec, training, detector   or NULL
//   buffer     out. Free with pktseq_buffer_free.
//   fails with ARGUMENT (also a training that pktseq_train could not have left: see
//              pktseq_training), MEMORY, MISMATCH (codec or detector and model), DATA (a name that
//              is not UTF-8, a number that is not finite).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_save_mem(const pktseq_model *model, const pktseq_codec *codec,
                                         const pktseq_training *training,
                                         const pktseq_detector *detector, pktseq_buffer *buffer,
                                         const pktseq_allocator *allocator, pktseq_error *err);

// Reads a checkpoint, ours or another program's with the same tensors; of the latter, N is taken as
// 3 and the first token as the target. Every rule of the format is checked before anything is used.
//   model, codec, training, detector   out; all but model may be NULL (not requested). Zeroed if
//              the file has none, so that codec.field_count, training.iteration and
//              detector.memory are 0, and all of them on failure. Free each.
//   fails with ARGUMENT, MEMORY, DATA (err says what and where), MISMATCH (codec and tensors).
//              Thread safe.
PKTSEQ_DEF pktseq_status pktseq_load_mem(pktseq_model *model, pktseq_codec *codec,
                                         pktseq_training *training, pktseq_detector *detector,
                                         const void *data, size_t size,
                                         const pktseq_allocator *allocator, pktseq_error *err);

// Replaces the C library's files, for programs with a file system of their own and for tests of
// failures. `file` is what open_fn returned.
typedef struct pktseq_files {
    void *(*open_fn)(const char *path, int write, void *user_data);  // NULL: it cannot be opened
    pktseq_read_fn read_fn;                                          // of the file
    size_t (*write_fn)(void *file, const void *from, size_t size);   // returns the bytes written
    // Closes the file in any case. Returns 1 if that succeeded and, with sync, all that was written
    // is on the disk.
    int (*close_fn)(void *file, int sync);
    // Replaces a file by another, in one step that survives a loss of power. Returns 1, or 0 if
    // both are unchanged.
    int (*replace_fn)(const char *from, const char *to, void *user_data);
    void (*remove_fn)(const char *path, void *user_data);
    void *user_data;
} pktseq_files;

// Writes a file completely or not at all: to a temporary file in the same folder, which is synced
// and then renamed to path. After OK the bytes are on the disk, as far as the system tells; after a
// failure, path is unchanged; after a loss of power, it is either old or new.
//   files      NULL: the C library's (not with PKTSEQ_NO_STDIO). Then anything but a regular file,
//              such as /dev/stdout, is written to directly, a symbolic link remains one, and the
//              new file has the permissions of the old. As with every rename, the folder must allow
//              it.
//              With POSIX the temporary file is path.PID-N.tmp, created exclusively: it overwrites
//              nothing and follows no link, and of several writers the last one wins; it remains
//              only if the process is killed. Otherwise it is path.tmp: one writer at a time.
//   fails with ARGUMENT, MEMORY (from malloc, a few bytes), FILE.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_file_write(const char *path, const void *data, size_t size,
                                           const pktseq_files *files, pktseq_error *err);

// Reads a whole file.
//   buffer     out. Free with pktseq_buffer_free.
//   files      as for pktseq_file_write
//   fails with ARGUMENT, MEMORY, FILE.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_file_read(pktseq_buffer *buffer, const char *path,
                                          const pktseq_files *files,
                                          const pktseq_allocator *allocator, pktseq_error *err);

#ifndef PKTSEQ_NO_STDIO
// The same as _parse, _save_mem and _load_mem, with files of the C library. A table is read in
// pieces, so its file may be larger than memory. pktseq_save builds the file in memory, from the
// model's allocator, and uses pktseq_file_write.
//   fail as those do, and with FILE.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_table_read(pktseq_table *table, const char *path,
                                           const pktseq_schema *schema,
                                           const pktseq_allocator *allocator, pktseq_error *err);
PKTSEQ_DEF pktseq_status pktseq_save(const pktseq_model *model, const pktseq_codec *codec,
                                     const pktseq_training *training,
                                     const pktseq_detector *detector, const char *path,
                                     pktseq_error *err);
PKTSEQ_DEF pktseq_status pktseq_load(pktseq_model *model, pktseq_codec *codec,
                                     pktseq_training *training, pktseq_detector *detector,
                                     const char *path, const pktseq_allocator *allocator,
                                     pktseq_error *err);
#endif

// ---- >>api-short: from a file to alarms in six calls ------------------------------------------

// Options of a guard. Zero means: the default. Those up to tcp_only matter only for learning,
// except false_positive_rate.
typedef struct pktseq_guard_options {
    double epochs;        // passes over the data; 0: 6, but at least 200 iterations
    double hold_out;      // share of the sequences used only to learn normal scores; 0: 0.2
    double false_positive_rate;  // share of normal sequences that may raise an alarm; 0: 0.01 or,
                          //   after learning, that of the model
    double context;       // share in the score of the pair's last 10 seconds; 0: 0.65,
                          //   negative: none
    uint64_t seed;        // 0: 1
    int tcp_only;         // 1: only TCP packets
    pktseq_rule rule;     // how packets are grouped; min_length 0: by connection or, after
                          //   learning, as the model's, in either case with this secret
    double threshold;     // 0: that of false_positive_rate. With one of your own, a checkpoint
                          //   needs no fitted detector
    double adapt;         // for watching: see pktseq_watcher_options
    int threads;          // 0: OpenMP's choice
    int (*progress)(void *user_data, const struct pktseq_progress *progress);  // of training
    void (*alarm_fn)(void *user_data, const pktseq_alarm *alarm);              // of watching
    void *user_data;      // of both
    pktseq_allocator allocator;
} pktseq_guard_options;

// Every setting of a run, from packets to thresholds. All may be changed.
typedef struct pktseq_recipe {
    pktseq_schema schema;            // its hold_out and repeats are taken from dataset
    pktseq_dataset_options dataset;
    size_t hidden;                   // H
    pktseq_loss loss;
    pktseq_train_config train;       // iterations: see pktseq_recipe_iterations
    double epochs;                   // passes over the data; 0: train.iterations unchanged
    size_t min_iterations;           // with epochs: at least this many
    double context, false_positive_rate;    // of the detector, as in pktseq_detector_options; but
                                     //   a rate of 0 is 0: no sequence that was calibrated with
} pktseq_recipe;

// Returns the reference's settings: those of the _default functions above, and 256 hidden units.
PKTSEQ_DEF pktseq_recipe pktseq_recipe_default(void);

// Fills in the settings that find anomalies best, as pktseq_guard_learn uses them:
// pktseq_schema_recommended, with the column "label" kept; 64 hidden units, likelihood, every
// packet forecast from those before it; batches of 32, rate 0.1, momentum 0.9, gradients clipped to
// 1, shuffled.
//   recipe     out; zeros on failure
//   options    override these; NULL: none do
//   fails with ARGUMENT (an option out of its range).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_recipe_recommended(pktseq_recipe *recipe,
                                                   const pktseq_guard_options *options,
                                                   pktseq_error *err);

// Returns the number of iterations that a run on this dataset takes; 0 for NULL.
PKTSEQ_DEF size_t pktseq_recipe_iterations(const pktseq_recipe *recipe,
                                           const pktseq_dataset *dataset);

// Prepares everything that pktseq_train needs from a table that was read with recipe->schema.
//   table      sequences with labelled attacks are removed, also if a later step fails
//   known, trained  NULL: weights are drawn from train.seed. Or codec and model of an earlier run,
//              to continue on new traffic: pktseq_codec_extend adds the categories that occur at
//              least twice, pktseq_model_grow adds room for them, and nothing is drawn. Calibrate
//              again afterwards
//   codec, dataset, model   out; empty on failure
//   fails as pktseq_table_drop_attacks, pktseq_codec_fit or _extend, pktseq_dataset_init and
//              pktseq_model_init or _grow do, and with DATA (too little traffic, or none held out
//              where some should be).
PKTSEQ_DEF pktseq_status pktseq_recipe_prepare(const pktseq_recipe *recipe, pktseq_table *table,
                                               const pktseq_codec *known,
                                               const pktseq_model *trained, pktseq_codec *codec,
                                               pktseq_dataset *dataset, pktseq_model *model,
                                               const pktseq_allocator *allocator,
                                               pktseq_error *err);

// Fills in the settings to continue a loaded model on new traffic: those of its first run except,
// with likelihood, rate 0.05 and 6 epochs (at least 100 iterations), because momentum is lost.
//   recipe     out; borrows the codec's fields
//   training, detector   of the model; if NULL or empty, replaced by the settings of
//              pktseq_recipe_recommended
//   fails with ARGUMENT (NULL, an empty model or codec).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_recipe_from_model(pktseq_recipe *recipe, const pktseq_model *model,
                                                  const pktseq_codec *codec,
                                                  const pktseq_training *training,
                                                  const pktseq_detector *detector,
                                                  pktseq_error *err);

// Learns after training which scores are normal, for recipe->false_positive_rate. A model that was
// trained by likelihood gets pktseq_detector_options_recommended, any other the reference's score.
// If the codec has a context, recipe->context is its share of the score.
//   detector   out: zeroed; or initialised: it is fitted again, and its other options and its
//              weights remain. Unchanged on failure
//   fails as pktseq_detector_init and _fit do.
PKTSEQ_DEF pktseq_status pktseq_recipe_calibrate(const pktseq_recipe *recipe,
                                                 const pktseq_model *model,
                                                 const pktseq_codec *codec,
                                                 const pktseq_dataset *dataset,
                                                 pktseq_detector *detector, pktseq_error *err);

// Everything that learning produces and watching needs. Its parts may be passed to the functions
// above, such as pktseq_save_mem in a program without files. Options may be written and the struct
// moved in memory until the first packet is watched.
typedef struct pktseq_guard {
    pktseq_model model;
    pktseq_codec codec;
    pktseq_detector detector;
    pktseq_training training;
    pktseq_watcher watcher;  // made when the first packet is watched; counts sequences and alarms
    pktseq_guard_options options;
} pktseq_guard;

// One sequence of a file. Strings are the table's.
typedef struct pktseq_scored {
    double score, threshold;     // a score above the threshold is an alarm
    size_t sequence, connection; // numbers, in the order in which they began
    size_t packets;
    size_t first_row, last_row;  // of the file, 0 = the first after the header, or first frame
    double begin, time;          // of the first and the last packet; 0 if the model uses no time
    const char *src, *dst;       // of the first packet, as in the file, or ""
    unsigned src_port, dst_port; // 0 where there are none
    const char *label;           // of the first packet, or ""
} pktseq_scored;

// Returns the description of a sequence, as far as the table has the columns (see
// pktseq_schema.keep); score and threshold are 0. All is 0 or "" if there is no such sequence.
// Thread safe.
PKTSEQ_DEF pktseq_scored pktseq_table_describe(const pktseq_table *table, size_t sequence);

#ifndef PKTSEQ_NO_STDIO
// Learns from a capture (pcap, pcapng, CSV) what is normal, to the bit as `train --recommended`
// does: pktseq_recipe_recommended, _prepare, pktseq_train, pktseq_recipe_calibrate.
//   options    NULL: all defaults. Copied.
//   fails as pktseq_table_read, pktseq_codec_fit, pktseq_train and pktseq_detector_fit do, and with
//              DATA (too little traffic). STOPPED (by the callback): the guard is complete, with
//              what was learned so far.
PKTSEQ_DEF pktseq_status pktseq_guard_learn(pktseq_guard *guard, const char *path,
                                            const pktseq_guard_options *options, pktseq_error *err);

// Writes what was learned to a checkpoint.
//   fails as pktseq_save does, and with ARGUMENT (an empty guard).
PKTSEQ_DEF pktseq_status pktseq_guard_save(const pktseq_guard *guard, const char *path,
                                           pktseq_error *err);

// Loads a checkpoint that has a codec and a fitted detector, from pktseq_guard_save or pktseq_save.
// With options->threshold it needs no detector: scores are then the reference's.
//   options    NULL: all defaults. Copied.
//   fails as pktseq_load does, and with DATA (no codec, or no fitted detector).
PKTSEQ_DEF pktseq_status pktseq_guard_load(pktseq_guard *guard, const char *path,
                                           const pktseq_guard_options *options, pktseq_error *err);

// Scores each sequence of a capture. After all are scored, calls scored_fn for each, in the order
// in which they began; `scored` is valid until it returns.
//   fails as pktseq_table_read, pktseq_detector_score_all and pktseq_detector_threshold do; nothing
//              was then reported.       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_guard_score(const pktseq_guard *guard, const char *path,
                                            void (*scored_fn)(void *user_data,
                                                              const pktseq_scored *scored),
                                            void *user_data, pktseq_error *err);
#endif

// Makes a dataset for the guard's model from a table that was read with pktseq_codec_schema, for
// pktseq_detector_score_all, _explain or pktseq_recipe_calibrate.
//   dataset    out, from the guard's allocator. Free with pktseq_dataset_free.
//   fails as pktseq_dataset_init does, and with ARGUMENT (an empty guard).       Thread safe.
PKTSEQ_DEF pktseq_status pktseq_guard_dataset(const pktseq_guard *guard, const pktseq_table *table,
                                              pktseq_dataset *dataset, pktseq_error *err);

// Processes the next packet of live traffic, see pktseq_watcher; alarms go to options.alarm_fn.
//   packet     NULL: only prepares for the first packet, to find out early whether this model can
//              watch packets
//   fails with ARGUMENT (an empty guard), and as pktseq_watcher_init and _push do; the guard
//              remains usable.
PKTSEQ_DEF pktseq_status pktseq_guard_watch(pktseq_guard *guard, const pktseq_packet *packet,
                                            pktseq_error *err);

// Ends the sequences that are over at a time, which may be infinite, and raises their alarms: see
// pktseq_tracker_tick.
PKTSEQ_DEF void pktseq_guard_tick(pktseq_guard *guard, double now);

// Frees everything; raises no alarm.
PKTSEQ_DEF void pktseq_guard_free(pktseq_guard *guard);

#ifdef __cplusplus
}
#endif
#endif  // PKTSEQ_H

// Stop here if you only want the API.

#ifdef PKTSEQ_IMPLEMENTATION
#ifndef PKTSEQI_IMPLEMENTED
#define PKTSEQI_IMPLEMENTED

#include <errno.h>
#include <float.h>
#include <math.h>
#if defined(exp) || defined(sqrt)
#error "pktseq.h: in the file with PKTSEQ_IMPLEMENTATION, include it before <tgmath.h>"
#endif
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#ifndef PKTSEQ_NO_STDIO
#include <stdio.h>
#if defined(__unix__) || defined(__APPLE__)
#define PKTSEQI_POSIX
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#elif defined(_WIN32)
#include <io.h>
#endif
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

// What follows is not for -ffast-math, nor are the vectors of immintrin.h. (GCC: see below.)
#if defined(__clang__) && defined(__FAST_MATH__) && __clang_major__ >= 12
#pragma float_control(push)
#pragma float_control(precise, on)
#endif

// Which vectors the compiler can make: decided for float only, by the name in PKTSEQ_REAL.
#define PKTSEQI_JOIN2(a, b) a##b
#define PKTSEQI_JOIN(a, b) PKTSEQI_JOIN2(a, b)
#define PKTSEQI_IS_float 1
#define PKTSEQI_IS_FLOAT PKTSEQI_JOIN(PKTSEQI_IS_, PKTSEQ_REAL)
#ifdef PKTSEQ_NO_SIMD
#define PKTSEQI_SCALAR_ONLY
#elif defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#define PKTSEQI_SCALAR_ONLY  // else g++ -O0 would make a C program need the C++ library
#elif !defined(PKTSEQ_FILE) && defined(__has_include)
#if !__has_include("pktseq.h") && __INCLUDE_LEVEL__ == 0
#define PKTSEQI_SCALAR_ONLY  // pasted into another file, so there is none that could include itself
#elif !__has_include("pktseq.h")
#define PKTSEQI_SCALAR_ONLY
#error "pktseq.h was renamed: define PKTSEQ_FILE as its name in quotes, or PKTSEQ_NO_SIMD"
#endif
#endif
#ifndef PKTSEQ_FILE
#define PKTSEQ_FILE "pktseq.h"
#endif
#ifndef PKTSEQI_SCALAR_ONLY
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define PKTSEQI_X86
#include <immintrin.h>
#ifndef PKTSEQI_CPU_HAS  // the tests have an answer of their own
#define PKTSEQI_CPU_HAS(feature) __builtin_cpu_supports(feature)
#endif
#elif defined(__GNUC__) && defined(__aarch64__) && PKTSEQI_IS_FLOAT
#define PKTSEQI_NEON
#include <arm_neon.h>
#endif
#endif

// Threads that wait for tasks need atomics and a way to give the core away.
#if defined(_OPENMP) && defined(__GNUC__) && (defined(__unix__) || defined(__APPLE__))
#define PKTSEQI_POOL
#include <poll.h>
#include <sched.h>
#endif

#if defined(PKTSEQ_MALLOC) != defined(PKTSEQ_FREE)
#error "pktseq.h: define both PKTSEQ_MALLOC and PKTSEQ_FREE, or neither"
#endif
#ifndef PKTSEQ_MALLOC
#define PKTSEQ_MALLOC(size) malloc(size)
#define PKTSEQ_FREE(p) free(p)
#ifdef __linux__
#define PKTSEQI_LARGE_PAGES
#include <sys/mman.h>
#endif
#endif

// For kernels and what they are made of: always part of what calls them, loops of a few rounds
// written out. The compiler may fuse a product and a sum only where the code says so.
#if defined(__clang__)
#pragma clang fp contract(off)
#define PKTSEQI_UNROLL _Pragma("clang loop unroll(full)")
#define PKTSEQI_INLINE static inline __attribute__((always_inline)) PKTSEQI_TARGET
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off", "no-fast-math")
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in C++, GCC's own AVX-512 functions
#define PKTSEQI_UNROLL _Pragma("GCC unroll 16")
#define PKTSEQI_INLINE static inline __attribute__((always_inline)) PKTSEQI_TARGET
#else
#ifdef _MSC_VER
#pragma fp_contract(off)
#endif
#define PKTSEQI_UNROLL
#define PKTSEQI_INLINE static inline
#endif

// Around functions with hardly a loop that is run for each number, row or packet: GCC compiles them
// at -O1, clang for size and inlines little into them. That is a tenth (gcc 12) and a fifth (clang
// 14) off the time that the header takes to compile; reading captures and CSV, live use, training
// and scoring are as fast (pairs of runs, gcc within 2 %, clang within 4 %).
#if defined(__clang__)
#define PKTSEQI_COLD _Pragma("clang attribute push(__attribute__((cold)), apply_to = function)")
#define PKTSEQI_COLD_END _Pragma("clang attribute pop")
#elif defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)
#define PKTSEQI_COLD _Pragma("GCC push_options") _Pragma("GCC optimize(\"O1\")")
#define PKTSEQI_COLD_END _Pragma("GCC pop_options")
#else
#define PKTSEQI_COLD
#define PKTSEQI_COLD_END
#endif

// What to do while waiting for another thread.
#ifdef PKTSEQI_X86
#define PKTSEQI_PAUSE __builtin_ia32_pause()
#else
#define PKTSEQI_PAUSE (void)0
#endif

// A loop whose iterations do not touch each other: vectors may do it also at -O2.
#if defined(_OPENMP) && _OPENMP >= 201307
#define PKTSEQI_SIMD _Pragma("omp simd")
#else
#define PKTSEQI_SIMD
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---- >>memory: sizes, allocation, text that grows ---------------------------------------------

PKTSEQI_COLD

// Sizes come from files and callers, so every product and sum of them is checked: one that does not
// fit becomes the largest size_t, which pktseqi_alloc refuses. So a chain of them needs no other
// check than that of the allocation at its end.

// Returns a * b, or the largest size_t.
static size_t pktseqi_times(size_t a, size_t b) {
    return b != 0 && a > (size_t)-1 / b ? (size_t)-1 : a * b;
}

// The number of elements of an array.
#define PKTSEQI_LENGTH(array) (sizeof(array) / sizeof *(array))

// The offset and the size of a struct's member, for lists of members.
#define PKTSEQI_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)

// Returns a + b, or the largest size_t.
static size_t pktseqi_plus(size_t a, size_t b) {
    return a > (size_t)-1 - b ? (size_t)-1 : a + b;
}

// Allocates count * size bytes. Returns NULL if there is no memory, or if the product wraps or is
// above half of size_t, so that pointer differences within any object are defined. Only
// this function calls an allocator or PKTSEQ_MALLOC. No step of training allocates: see
// pktseq_work.
static void *pktseqi_alloc(const pktseq_allocator *allocator, size_t count, size_t size) {
    size_t bytes = pktseqi_times(count, size);
    if (bytes == 0 || bytes > (size_t)-1 / 2) return NULL;
    if (allocator->alloc_fn) return allocator->alloc_fn(bytes, allocator->user_data);
    return PKTSEQ_MALLOC(bytes);
}

// Does the same, and fills the array with zeros.
static void *pktseqi_alloc_zeroed(const pktseq_allocator *allocator, size_t count, size_t size) {
    void *p = pktseqi_alloc(allocator, count, size);
    if (p) memset(p, 0, count * size);
    return p;
}

// Returns the first address of a block that begins a cache line; the block has 63 spare bytes.
// Loads and stores of 64 bytes across two lines take twice the time.
static void *pktseqi_align(void *memory) {
    char *p = (char *)memory;
    return p + (64 - (uintptr_t)p % 64) % 64;
}

// Frees memory; NULL is allowed. An allocator without free_fn (an arena) keeps it.
static void pktseqi_free(const pktseq_allocator *allocator, void *p) {
    if (!p) return;
    if (!allocator->alloc_fn)
        PKTSEQ_FREE(p);
    else if (allocator->free_fn)
        allocator->free_fn(p, allocator->user_data);
}

// Returns a copy of the caller's allocator; NULL becomes zeros, which stand for malloc. Every
// object keeps a copy to be freed with.
static pktseq_allocator pktseqi_allocator(const pktseq_allocator *allocator) {
    pktseq_allocator a;
    memset(&a, 0, sizeof a);
    return allocator ? *allocator : a;
}

#if defined(PKTSEQI_LARGE_PAGES) && !defined(__cplusplus)
// Strict C hides these two.
int posix_memalign(void **p, size_t alignment, size_t size);
int madvise(void *p, size_t size, int advice);
#endif

// Allocates an array that may be large. The first access to each page of 4 kB is a page fault,
// which can take longer than all work on the page, so from 2 MB on pages of 2 MB are requested of
// Linux. With PKTSEQ_MALLOC or a caller's allocator, whose pages are unknown, it is pktseqi_alloc.
static void *pktseqi_alloc_large(const pktseq_allocator *allocator, size_t count, size_t size) {
#ifdef PKTSEQI_LARGE_PAGES
    const size_t page = (size_t)1 << 21;
    const int huge = 14;  // MADV_HUGEPAGE
    size_t bytes = pktseqi_times(count, size);
    void *p = NULL;
    if (!allocator->alloc_fn && bytes >= page && bytes < (size_t)-1 / 2 &&
        posix_memalign(&p, page, bytes) == 0) {
        (void)madvise(p, bytes / page * page, huge);  // if refused, pages are small
        return p;
    }
#endif
    return pktseqi_alloc(allocator, count, size);
}

// Moves an array of `used` elements to a new block. Returns NULL without memory; p is then still
// valid. An allocator has no realloc, so this allocates, copies and frees: both blocks exist until
// it returns.
static void *pktseqi_regrow(const pktseq_allocator *allocator, void *p, size_t used,
                            size_t capacity, size_t size) {
    void *larger = pktseqi_alloc_large(allocator, capacity, size);
    if (!larger) return NULL;
    if (used) memcpy(larger, p, used * size);
    pktseqi_free(allocator, p);
    return larger;
}

// Returns the number of threads for an option: 0 stands for OpenMP's choice, or 1 without OpenMP.
// No result depends on it.
static int pktseqi_thread_count(int threads) {
#ifdef _OPENMP
    if (threads == 0) return omp_get_max_threads();
#endif
    return threads ? threads : 1;
}

// Returns the capacity to grow to: half as much again, so that each element of a growing array is
// copied at most three times on average, and at most a third of its memory is unused.
static size_t pktseqi_next_capacity(size_t capacity, size_t at_least) {
    size_t next = pktseqi_plus(capacity, capacity / 2);
    return next > at_least ? next : at_least;
}

// Grows an array of (*capacity) elements to at least (at_least), which may be the result of
// pktseqi_plus. 0 = no memory, nothing has changed.
//   array   the address of the pointer to it, which is read and written by memcpy: its type is not
//           void *
static int pktseqi_grow(const pktseq_allocator *allocator, void *array, size_t *capacity,
                        size_t used, size_t at_least, size_t size) {
    size_t to = pktseqi_next_capacity(*capacity, at_least);
    void *p;
    memcpy(&p, array, sizeof p);
    p = pktseqi_regrow(allocator, p, used, to, size);
    if (!p) return 0;
    memcpy(array, &p, sizeof p);
    *capacity = to;
    return 1;
}

// Text under construction, in the caller's array (fixed: truncated when full) or growing. All
// messages, names and headers are written by these functions: printf would follow the locale (1,5),
// and its formats for size_t differ between systems.
typedef struct pktseqi_text {
    char *data;  // (size) and a final 0
    size_t size, capacity;
    int fixed, failed;
    pktseq_allocator allocator;
} pktseqi_text;

// Begins a text in the caller's array of `capacity` bytes, at least 1. What does not fit is cut;
// the text always ends in 0.
static pktseqi_text pktseqi_text_fixed(char *data, size_t capacity) {
    pktseqi_text t;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.capacity = capacity;
    t.fixed = 1;
    data[0] = 0;
    return t;
}

// Begins a text in memory of its own. Its data is NULL until something is put; the caller frees it
// or passes it on.
static pktseqi_text pktseqi_text_growing(const pktseq_allocator *allocator) {
    pktseqi_text t;
    memset(&t, 0, sizeof t);
    t.allocator = pktseqi_allocator(allocator);
    return t;
}

// Moves a growing text and its allocator to a caller's buffer. The text must not be used
// afterwards.
static void pktseqi_text_give(const pktseqi_text *t, pktseq_buffer *buffer) {
    buffer->data = (unsigned char *)t->data;
    buffer->size = t->size;
    buffer->capacity = t->capacity;
    buffer->allocator = t->allocator;
}

// Appends bytes. When memory runs out, `failed` is set for good: one check at the end is enough.
// The capacity has 200 bytes more than needed, so that texts of a few words are allocated once.
static void pktseqi_put_bytes(pktseqi_text *t, const void *bytes, size_t size) {
    size_t need = pktseqi_plus(pktseqi_plus(t->size, size), 1);
    if (t->failed || size == 0) return;
    if (need > t->capacity && t->fixed) size = t->capacity - 1 - t->size;
    if (need > t->capacity && !t->fixed) {
        t->failed = !pktseqi_grow(&t->allocator, &t->data, &t->capacity, t->size,
                                  pktseqi_plus(need, 200), 1);
        if (t->failed) return;
    }
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
    t->data[t->size] = 0;
}

// Appends a C string.
static void pktseqi_put_text(pktseqi_text *t, const char *text) {
    pktseqi_put_bytes(t, text, strlen(text));
}

// Copies a text to an array of (size) bytes, cut if it is too long.
static void pktseqi_text_cut(char *to, size_t size, const char *from) {
    pktseqi_text t = pktseqi_text_fixed(to, size);
    pktseqi_put_text(&t, from);
}

// Appends the last `digits` decimal digits of a whole number, at most 20, with zeros in front.
static void pktseqi_put_digits(pktseqi_text *t, uint64_t value, int digits) {
    char digit[20];
    for (int i = digits; i-- > 0; value /= 10) digit[i] = (char)('0' + (int)(value % 10));
    pktseqi_put_bytes(t, digit, (size_t)digits);
}

// Appends a whole number in decimal.
static void pktseqi_put_u64(pktseqi_text *t, uint64_t value) {
    int digits = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10) ++digits;
    pktseqi_put_digits(t, value, digits);
}

// Appends the lowest `digits` hexadecimal digits.
static void pktseqi_put_hex(pktseqi_text *t, uint64_t value, int digits) {
    while (digits-- > 0)
        pktseqi_put_bytes(t, &"0123456789abcdef"[(value >> (4 * digits)) & 15], 1);
}

// Appends text in quotes for a message. Only its first 40 bytes, which are enough to find it in the
// file; other bytes than printable ASCII as \xNN, since a file could otherwise send escape
// sequences to a terminal.
static void pktseqi_put_quoted(pktseqi_text *t, const char *text) {
    size_t i;
    pktseqi_put_text(t, "\"");
    for (i = 0; text[i] && i < 40; ++i) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 32 && c < 127) {
            pktseqi_put_bytes(t, text + i, 1);
        } else {
            pktseqi_put_text(t, "\\x");
            pktseqi_put_hex(t, c, 2);
        }
    }
    pktseqi_put_text(t, text[i] ? "...\"" : "\"");
}

static size_t pktseqi_number_write(char *text, double value);

// Appends by a format: %s text, %q text in quotes, %z size_t, %S the plural's s unless that was 1,
// %f double in the fewest digits that give the same bits back; any other letter stands for itself.
// Formats are constants of the header, never from a file.
static void pktseqi_put_list(pktseqi_text *t, const char *format, va_list list) {
    char number[32];
    size_t count = 0;
    for (; *format; ++format) {
        if (*format != '%') {
            pktseqi_put_bytes(t, format, 1);
            continue;
        }
        switch (*++format) {
        case 's': pktseqi_put_text(t, va_arg(list, const char *)); break;
        case 'q': pktseqi_put_quoted(t, va_arg(list, const char *)); break;
        case 'z': pktseqi_put_u64(t, count = va_arg(list, size_t)); break;
        case 'S': pktseqi_put_text(t, count == 1 ? "" : "s"); break;
        case 'f':
            pktseqi_number_write(number, va_arg(list, double));
            pktseqi_put_text(t, number);
            break;
        default: pktseqi_put_bytes(t, format, 1);
        }
    }
}

// Appends by format, see pktseqi_put_list.
static void pktseqi_put(pktseqi_text *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    pktseqi_put_list(t, format, list);
    va_end(list);
}

// What the sentence of a caller's mistake begins with.
#define PKTSEQI_BAD_ARGUMENT "bad argument: "

// Fills err, which may be NULL, with "line L: SENTENCE" (without a line if that is 0), cut at 1,023
// bytes, and returns the status. Every failure of the library is reported here; no memory is
// needed.
static pktseq_status pktseqi_error(pktseq_error *err, pktseq_status status, size_t line,
                                   const char *format, ...) {
    if (err) {
        pktseqi_text t = pktseqi_text_fixed(err->text, sizeof err->text);
        va_list list;
        err->status = status;
        err->line = line;
        if (line) pktseqi_put(&t, "line %z: ", line);
        if (status == PKTSEQ_ERROR_ARGUMENT) pktseqi_put_text(&t, PKTSEQI_BAD_ARGUMENT);
        va_start(list, format);
        pktseqi_put_list(&t, format, list);
        va_end(list);
    }
    return status;
}

// Fails with DATA, without a line.
#define PKTSEQI_DATA_ERROR(err, ...) pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, __VA_ARGS__)

// Empties err, so that callers may look at it after a success too, and returns PKTSEQ_OK.
static pktseq_status pktseqi_ok(pktseq_error *err) {
    if (err) {
        err->status = PKTSEQ_OK;
        err->line = 0;
        err->text[0] = 0;
    }
    return PKTSEQ_OK;
}

// Fails because memory ran out.
static pktseq_status pktseqi_no_memory(pktseq_error *err) {
    return pktseqi_error(err, PKTSEQ_ERROR_MEMORY, 0, "out of memory");
}

// Fails because of an argument: `what` says which, and what is wrong with it.
static pktseq_status pktseqi_bad_argument(pktseq_error *err, const char *what) {
    return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "%s", what);
}

// Puts the file's name in front of the error that err holds, keeps its line, returns the status.
static pktseq_status pktseqi_error_in(pktseq_error *err, pktseq_status status, const char *path) {
    if (err && status) {
        pktseq_error inner = *err;
        pktseqi_error(err, status, 0, "%s: %s", path, inner.text);
        err->line = inner.line;
    }
    return status;
}

// Returns the reason in errno if it tells a user what to do, else "". strerror would follow the
// locale, and is not thread safe on every system.
static const char *pktseqi_reason(void) {
    switch (errno) {
#if defined(ENOENT) && defined(EROFS)  // C itself has none of these
    case ENOENT: return ": there is no such file or folder";
    case ENOTDIR: return ": part of the path is not a folder";
    case EISDIR: return ": it is a folder";
    case EACCES: return ": permission denied";
    case EROFS: return ": the file system is read-only";
    case ENOSPC: return ": no space left";
    case ENAMETOOLONG: return ": the name is too long";
#endif
    default: return "";
    }
}

#ifndef PKTSEQ_NO_STDIO
#if defined(PATH_MAX) && PATH_MAX > 4096
// The size of arrays for paths, one or two of which are on the stack.
enum { PKTSEQI_PATH = PATH_MAX };
#else
enum { PKTSEQI_PATH = 4096 };  // no system opens a longer path, nor does realpath return one
#endif

#ifdef _WIN32
__declspec(dllimport) int __stdcall MoveFileExA(const char *from, const char *to,
                                                unsigned long flags);
__declspec(dllimport) int __stdcall MoveFileExW(const wchar_t *from, const wchar_t *to,
                                                unsigned long flags);
__declspec(dllimport) int __stdcall MultiByteToWideChar(unsigned page, unsigned long flags,
                                                        const char *text, int size, wchar_t *wide,
                                                        int capacity);

// Converts a path from UTF-8 to UTF-16. Returns 0 if it is not UTF-8: then it is in the code page
// of the process, as the arguments of main() are. 65001 is CP_UTF8, 8 is MB_ERR_INVALID_CHARS;
// windows.h is not included for two constants and three functions.
static int pktseqi_wide(wchar_t wide[PKTSEQI_PATH], const char *path) {
    const unsigned utf8 = 65001;
    const unsigned long refuse_others = 8;
    return MultiByteToWideChar(utf8, refuse_others, path, -1, wide, PKTSEQI_PATH) > 0;
}
#endif

// Opens a file whose path is in UTF-8, always as bytes: text mode would convert line ends on
// Windows and end a file at byte 26.
static FILE *pktseqi_fopen(const char *path, const char *mode) {
#ifdef _WIN32
    const int shared = 0x40;  // _SH_DENYNO; as fopen, which Microsoft's headers call deprecated
    wchar_t wide[PKTSEQI_PATH];
    if (pktseqi_wide(wide, path)) return _wfsopen(wide, mode[0] == 'r' ? L"rb" : L"wb", shared);
    return _fsopen(path, mode, shared);
#else
    return fopen(path, mode);
#endif
}
#endif

// Fails because a file could not be opened, with the reason in errno, which callers set to 0 before
// they open it.
static pktseq_status pktseqi_not_opened(pktseq_error *err, const char *path) {
    return pktseqi_error(err, PKTSEQ_ERROR_FILE, 0, "%s: cannot be opened%s", path,
                         pktseqi_reason());
}

// Returns a copy of a C string, to be freed by pktseqi_free, or NULL without memory.
static char *pktseqi_copy(const pktseq_allocator *allocator, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = (char *)pktseqi_alloc(allocator, size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

// Frees an array of (count) strings and the strings; entries, and the array, may be NULL.
static void pktseqi_free_names(const pktseq_allocator *allocator, char **name, size_t count) {
    for (size_t i = 0; name && i < count; ++i) pktseqi_free(allocator, name[i]);
    pktseqi_free(allocator, name);
}

PKTSEQI_COLD_END

// Returns a double's bits. With -ffast-math compilers remove comparisons with NaN, and clang
// assumes that no argument of a function is infinite or NaN: so by bits, and by address.
static uint64_t pktseqi_bits(const double *value) {
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits;
}

// Returns 1 if a double is neither infinite nor NaN: its exponent is not all ones. Used everywhere
// in place of isfinite, which -ffast-math takes for true.
static int pktseqi_finite(const double *value) {
    return ((pktseqi_bits(value) >> 52) & 2047) != 2047;
}

// Returns 1 if a double is at least 0 and below 1.
static int pktseqi_share_below_one(const double *share) {
    return pktseqi_finite(share) && *share >= 0 && *share < 1;
}

// Returns the bits of a pktseq_real as they are written to a file. sizeof selects the branch at
// compile time.
static uint64_t pktseqi_real_bits(const pktseq_real *value) {
    uint32_t bits32;
    uint64_t bits;
    if (sizeof *value == sizeof bits) {
        memcpy(&bits, value, sizeof *value);
        return bits;
    }
    memcpy(&bits32, value, sizeof *value);
    return bits32;
}

// Returns 1 if a pktseq_real is neither infinite nor NaN.
static int pktseqi_finite_real(const pktseq_real *value) {
    uint64_t bits = pktseqi_real_bits(value);
    if (sizeof *value == sizeof bits) return ((bits >> 52) & 2047) != 2047;
    return ((bits >> 23) & 255) != 255;
}

// Continues a 64-bit FNV-1a hash (Fowler, Noll, Vo; isthe.com/chongo/tech/comp/fnv), which begins
// with PKTSEQI_FNV_START. Each step is a bijection of the state, so two inputs that differ in one
// byte never have the same hash. It detects damage, not forgery. It takes about 1 ns a byte, as
// each step depends on the one before: 2 ms for a model of 2 MB.
#define PKTSEQI_FNV_START 0xcbf29ce484222325u
static uint64_t pktseqi_fnv(uint64_t hash, const void *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; i < size; ++i) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

// Returns 1 if text is UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). Names are
// written to JSON and to pages, whose readers disagree about invalid text. No character begins with
// 80 to c1 or f5 to ff; the bounds of a second byte, low to high, exclude what else is invalid.
static int pktseqi_utf8(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < size;) {
        unsigned c = p[i++], more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        unsigned low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        unsigned high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4) return 0;
        for (; more > 0; --more, low = 0x80, high = 0xbf)
            if (i == size || p[i] < low || p[i++] > high) return 0;
    }
    return 1;
}

PKTSEQ_DEF const char *pktseq_version(void) { return PKTSEQ_VERSION; }

// Structs of another version or with another PKTSEQ_REAL have other sizes in almost all cases; the
// comparison of versions finds the rest.
PKTSEQ_DEF pktseq_status pktseq_check_header(const char *version, size_t real, size_t sizes) {
    int fits = version && strcmp(version, PKTSEQ_VERSION) == 0 && real == sizeof(pktseq_real) &&
               sizes == PKTSEQ_STRUCT_SIZES;
    return fits ? PKTSEQ_OK : PKTSEQ_ERROR_MISMATCH;
}

// A switch without default, so that compilers warn of a status without words.
PKTSEQ_DEF const char *pktseq_status_text(pktseq_status status) {
    switch (status) {
    case PKTSEQ_OK: return "ok";
    case PKTSEQ_STOPPED: return "stopped by the caller";
    case PKTSEQ_ERROR_ARGUMENT: return "bad argument";
    case PKTSEQ_ERROR_MEMORY: return "out of memory";
    case PKTSEQ_ERROR_FILE: return "file error";
    case PKTSEQ_ERROR_DATA: return "bad data";
    case PKTSEQ_ERROR_MISMATCH: return "objects do not fit together";
    case PKTSEQ_ERROR_DIVERGED: return "training diverged";
    case PKTSEQ_END: return "end of the input";
    case PKTSEQ_NOT_IP: return "not an IP packet";
    }
    return "unknown status";
}

PKTSEQ_DEF void pktseq_buffer_free(pktseq_buffer *buffer) {
    if (!buffer) return;
    pktseqi_free(&buffer->allocator, buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

// ---- >>number: decimal text to double and back, exactly ---------------------------------------
//
// In: text; out: the nearest double (number_scan, number_parse); and back (number_write). One
// scanner reads every number, of CSV and of checkpoints. Nearly all of them are a whole number
// below 2^53 times or divided by a power of ten that a double holds exactly, so that one operation,
// which the processor rounds correctly, gives the nearest double (Clinger 1990). All others, and
// all that is written, take the exact way through decimal digits, independent of locale and C
// library.

#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1)
#define PKTSEQI_DOUBLES  // every operation on doubles is rounded to a double, once
// The largest power of ten in use: one operation on two exact doubles is rounded once.
enum { PKTSEQI_EXACT_POWERS = 22 };
#else
enum { PKTSEQI_EXACT_POWERS = 0 };  // operations are rounded twice here, so none is used
#endif

// Powers of ten that a double holds exactly: 5^22 has 52 bits.
// 10^23 is not exact any more, so a quotient by it would be rounded twice.
static const double pktseqi_power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// A number 0.d1d2d3.. * 10^point. A double has at most 767 digits, and so has a number half-way
// between two of them: 800 digits and a mark for what was cut off decide on which side of that a
// number lies. A multiplication writes up to 20 digits more before it cuts.
enum { PKTSEQI_DIGITS = 800 };
typedef struct pktseqi_decimal {
    unsigned char digit[PKTSEQI_DIGITS + 20];  // (count) 0 to 9; the last one is not 0
    size_t count;                              // 0: the number is 0
    long point;
    int rest;                                  // 1 if digits that were not all 0 are cut off
} pktseqi_decimal;

// Multiplies by a factor from 1 to 2^60, so that 9 * factor and a carry fit 64 bits. Digits are
// multiplied in place from the last one to the first, as on paper; the final carry is inserted
// before them, and the point moves by as many. Zeros at the end are dropped, so that the count
// alone tells rounding whether anything follows.
static void pktseqi_decimal_times(pktseqi_decimal *d, uint64_t factor) {
    uint64_t carry = 0;
    size_t more = 0;
    for (size_t i = d->count; i-- > 0; carry /= 10) {
        carry += d->digit[i] * factor;
        d->digit[i] = (unsigned char)(carry % 10);
    }
    for (uint64_t rest = carry; rest; rest /= 10) ++more;
    // The carry has at most 19 digits, as it is below 2^60: there are 20 to spare.
    memmove(d->digit + more, d->digit, d->count);
    for (size_t i = more; i-- > 0; carry /= 10) d->digit[i] = (unsigned char)(carry % 10);
    d->count += more;
    d->point += (long)more;
    while (d->count && (d->count > PKTSEQI_DIGITS || d->digit[d->count - 1] == 0))
        d->rest |= d->digit[--d->count] != 0;
}

// Multiplies by 2^bits. For bits below zero no division is needed: 2^-k = 5^k / 10^k, and division
// by a power of ten only moves the point. pktseqi_decimal_times takes at most 60 bits or 25 factors
// of five at once: 1e-300 needs 17 passes over up to 300 digits, 10 us.
static void pktseqi_decimal_scale(pktseqi_decimal *d, long bits) {
    for (; bits >= 60; bits -= 60) pktseqi_decimal_times(d, (uint64_t)1 << 60);
    if (bits > 0) pktseqi_decimal_times(d, (uint64_t)1 << bits);
    while (bits < 0) {
        uint64_t factor = 1;
        for (int k = 0; k < 25 && bits < 0; ++k, ++bits, --d->point) factor *= 5;  // 5^25 < 2^59
        pktseqi_decimal_times(d, factor);
    }
}

// Rounds to at most `keep` digits, at least 1, halves to even as IEEE 754 and printf do, so that
// numbers are written with the digits that printf writes.
static void pktseqi_decimal_round(pktseqi_decimal *d, size_t keep) {
    int up;
    if (d->count <= keep) return;
    up = d->digit[keep] > 5 || (d->digit[keep] == 5 && (d->count > keep + 1 || d->rest ||
                                                        (d->digit[keep - 1] & 1)));
    d->count = keep;
    // Nines become zeros when one is added, and zeros at the end are not kept.
    while (d->count && d->digit[d->count - 1] == (up ? 9 : 0)) --d->count;
    if (up && d->count) {
        ++d->digit[d->count - 1];
    } else if (up) {  // 0.999 becomes 1
        d->digit[d->count++] = 1;
        ++d->point;
    }
}

// Rounds to the nearest double, halves to even. Returns 0 if that is infinite. d is changed: it is
// scaled by a power of two until its whole part has more bits than a double. The highest ones are
// the mantissa; the next one, and whether anything follows, decide whether it is rounded up.
// Numbers below 10^-330 are zero, above 10^310 infinite, as doubles end at 4.9e-324 and 1.8e308.
static int pktseqi_decimal_double(pktseqi_decimal *d, double *value) {
    long bits = 0, top, keep, drop, shift;
    uint64_t n = 0, m;
    *value = 0;
    if (d->count == 0 || d->point < -330) return 1;
    if (d->point > 310) return 0;
    // log2 10 is 3.3219, and the number is in [10^(point - 1), 10^point): shifted by this, its
    // whole part is in [2^57, 2^63). 2000000 keeps the dividend positive, 2061 includes it again.
    shift = 2061 - (d->point * 3322 + 2000000) / 1000;
    pktseqi_decimal_scale(d, shift);
    for (long i = 0; i < d->point; ++i)
        n = 10 * n + ((size_t)i < d->count ? d->digit[i] : 0);
    d->rest |= (long)d->count > d->point;
    // n has 57 to 63 bits, a double at most 53: at least 4 are dropped, and no shift is by 64.
    while (n >> bits) ++bits;
    top = bits - 1 - shift;                     // 2^top <= number < 2^(top + 1)
    keep = top >= -1022 ? 53 : top + 1075;      // subnormals keep fewer bits
    if (keep < 0) return 1;
    drop = bits - keep;
    m = n >> drop;
    if (n >> (drop - 1) & 1)
        m += d->rest || (n & (((uint64_t)1 << (drop - 1)) - 1)) || (m & 1);
    // The exponent is added above the mantissa, whose highest bit, 2^52, adds one to it, as does
    // the carry of rounding up. By bits, since arithmetic may flush subnormal numbers to zero.
    if (top >= -1022) m += (uint64_t)(top + 1022) << 52;
    memcpy(value, &m, sizeof m);
    return m >> 52 < 2047;
}

// Rounds the digits of a text, whose point is ignored, times 10^exponent to a double. Returns 0 if
// that is infinite. Leading zeros are skipped, so that 800 significant digits are kept. Exponents
// are limited to 400, which gives zero or infinity as well and fits a long of 32 bits.
static int pktseqi_decimal_parse(const char *text, const char *end, long long exponent,
                                 double *value) {
    pktseqi_decimal d;
    memset(&d, 0, sizeof d);
    for (; text < end; ++text) {
        int digit = *text - '0';
        if (*text == '.' || (d.count == 0 && digit == 0)) continue;
        ++exponent;  // a digit more before the point
        if (d.count < PKTSEQI_DIGITS) d.digit[d.count++] = (unsigned char)digit;
        else d.rest |= digit != 0;
    }
    d.point = exponent < -400 ? -400 : exponent > 400 ? 400 : (long)exponent;
    return pktseqi_decimal_double(&d, value);
}

// Appends the digits at text to *m and returns what follows. With more than 19 digits *m wraps: the
// caller counts them, and then uses the text.
static const char *pktseqi_digits_append(const char *text, const char *limit, uint64_t *m) {
    for (; text < limit && *text >= '0' && *text <= '9'; ++text)
        *m = 10 * *m + (uint64_t)(*text - '0');
    return text;
}

// Reads the exponent after the e of a number, [+-] digits. Returns what follows, or NULL if there
// are no digits. Exponents are limited to 10^15, which no number of digits in memory can outweigh.
static const char *pktseqi_exponent_scan(const char *text, const char *limit, long long *e) {
    int minus = text < limit && *text == '-';
    if (minus || (text < limit && *text == '+')) ++text;
    if (text == limit || *text < '0' || *text > '9') return NULL;
    for (; text < limit && *text >= '0' && *text <= '9'; ++text)
        if (*e < 1000000000000000) *e = 10 * *e + (*text - '0');
    if (minus) *e = -*e;
    return text;
}

// Reads the number at text, [+-] digits [. digits] [e [+-] digits], and rounds it to the nearest
// double as strtod does in the C locale. Returns what follows, or NULL if there is no number or it
// is infinite. No byte from `limit` on is read.
static const char *pktseqi_number_scan(const char *text, const char *limit, double *value) {
    int negative = text < limit && *text == '-';
    const char *begin = text + (negative || (text < limit && *text == '+')), *end, *point, *after;
    long long exponent = 0, scale;
    uint64_t m = 0;
    size_t digits;
    double v;
    end = point = pktseqi_digits_append(begin, limit, &m);
    if (point < limit && *point == '.') end = pktseqi_digits_append(point + 1, limit, &m);
    digits = (size_t)(end - begin) - (end != point);
    if (digits == 0) return NULL;
    after = end;
    if (after < limit && (*after | 32) == 'e') {
        after = pktseqi_exponent_scan(after + 1, limit, &exponent);
        if (!after) return NULL;
    }
    if (end != point) exponent -= end - point - 1;
    // tshark writes nanoseconds also of a time in microseconds: without its last zeros such a time
    // fits 2^53, and tshark's CSV is read in three quarters of the time.
    for (scale = exponent; digits <= 19 && m > (uint64_t)1 << 53 && m % 10 == 0; m /= 10) ++scale;
    // 19 digits cannot wrap 64 bits, and up to 2^53 a double holds every whole number. By way of
    // int64_t, since processors before AVX-512 convert only signed numbers in one instruction.
    if (digits <= 19 && m <= (uint64_t)1 << 53 && scale >= -PKTSEQI_EXACT_POWERS &&
        scale <= PKTSEQI_EXACT_POWERS) {
        v = (double)(int64_t)m;
        if (scale < 0) v /= pktseqi_power[-scale];
        else if (scale > 0) v *= pktseqi_power[scale];
    } else if (!pktseqi_decimal_parse(begin, end, exponent, &v)) {
        return NULL;
    }
    *value = negative ? -v : v;
    return after;
}

// Reads a text that consists of one number, see pktseqi_number_scan. Returns 0 if it does not.
static int pktseqi_number_parse(const char *text, size_t size, double *value) {
    double v;
    if (pktseqi_number_scan(text, text + size, &v) != text + size) return 0;
    *value = v;
    return 1;
}

// Finds the fewest of 15, 16 or 17 digits from which the same finite double is read: every number
// of up to 15 digits is written as it was typed, and 17 are always enough. The mantissa times a
// power of two gives all digits of a double exactly, up to 767. They are rounded and read back in
// at most three attempts: 1 us for numbers about 1, 40 us for the smallest.
static void pktseqi_decimal_shortest(pktseqi_decimal *shortest, const double *value) {
    pktseqi_decimal exact, copy;
    uint64_t bits = pktseqi_bits(value), mantissa = bits & (((uint64_t)1 << 52) - 1), back;
    long e = (long)(bits >> 52) & 2047;
    double v;
    memset(&exact, 0, sizeof exact);
    exact.digit[0] = 1;  // 1 times the mantissa times 2^(e - 1075)
    exact.count = 1;
    exact.point = 1;
    if (e) mantissa |= (uint64_t)1 << 52;
    pktseqi_decimal_times(&exact, mantissa);
    pktseqi_decimal_scale(&exact, (e ? e : 1) - 1075);
    for (size_t keep = 15; keep <= 17; ++keep) {
        *shortest = exact;
        pktseqi_decimal_round(shortest, keep);
        copy = *shortest;
        pktseqi_decimal_double(&copy, &v);
        back = pktseqi_bits(&v);
        if (back == bits << 1 >> 1) break;
    }
}

// Writes a double in the fewest of 15, 16 or 17 digits from which it is read back exactly, without
// zeros at the end, always with a point, into `text`, which has room for 32 bytes. Returns the
// length without the final 0.
static size_t pktseqi_number_write(char *text, double value) {
    pktseqi_text t = pktseqi_text_fixed(text, 32);
    pktseqi_decimal d;
    long e;
    int scientific, negative = (int)(pktseqi_bits(&value) >> 63);
    if (!pktseqi_finite(&value)) {
        pktseqi_put_text(&t, pktseqi_bits(&value) << 12 ? "nan" : negative ? "-inf" : "inf");
        return t.size;
    }
    if (negative) pktseqi_put_text(&t, "-");
    pktseqi_decimal_shortest(&d, &value);
    if (d.count == 0) d.point = 1;
    e = d.point - 1;
    // As %.17g does: whole numbers below 2^53, which are frequent in checkpoints, have no exponent.
    scientific = e < -5 || e >= 17;
    if (scientific) d.point = 1;
    if (d.point <= 0) pktseqi_put_text(&t, "0.");
    for (long k = d.point; k < 0; ++k) pktseqi_put_text(&t, "0");
    for (long i = 0; i < (long)d.count || i < d.point; ++i) {
        if (i > 0 && i == d.point) pktseqi_put_text(&t, ".");
        pktseqi_put_digits(&t, i < (long)d.count ? d.digit[i] : 0, 1);
    }
    if (scientific) {
        pktseqi_put_text(&t, e < 0 ? "e-" : "e+");
        pktseqi_put_u64(&t, (uint64_t)(e < 0 ? -e : e));
    }
    return t.size;
}

// ---- >>csv: rows of cells out of a stream of bytes --------------------------------------------
//
// In: a stream of bytes; out: the bounds of the cells of one row after the other (csv_open,
// csv_guess, then csv_row), and a cell as a C string (csv_cell). RFC 4180 and common variants:
// lines end in LF, CRLF or CR, empty lines are skipped; text after a closing quote is an error,
// and so is a quote that is never closed. The caller may leave such a row out (csv_skip) if it is
// on one line.

// A window of the input that holds the whole current row:
//
//      data   | rows done |  current row    | read ahead | 0
//             0           at                             size   capacity
//
// A zero follows what was read. Windows of 64 KB to 1 MB make no measurable difference. All cells
// of the current row are in the window at once and become C strings in place: nothing is copied.
// The window grows for a row that is longer, so memory is bounded by the longest row, not by the
// file.
enum { PKTSEQI_CSV_WINDOW = 1 << 18 };
typedef struct pktseqi_csv {
    pktseq_read_fn read_fn;
    void *user_data;
    char separator;
    char *data;
    size_t at, size, capacity;
    int ended;             // the whole input was read
    size_t expect;         // bytes of the input, 0 = unknown
    size_t fills;          // how often the window was filled
    size_t line;           // on which the current row begins, from 1
    size_t next_line;
    size_t *bound;         // (2 * cell_capacity) begin and end of each cell in data
    size_t cells;          // of the current row; 0 at the end of the input
    size_t cell_capacity;
    size_t filled;         // cells up to the last one that is not empty
    int doubled;           // a cell of the current row has a doubled quote
    int torn;              // csv_row failed, but csv_skip can leave the row out
    size_t keep;           // the bounds of so many cells are stored, further ones are counted
    pktseq_allocator allocator;
    pktseq_error *err;
} pktseqi_csv;

// Fails because of the current row, naming the line on which it begins. The arguments are a format
// and its values, see pktseqi_put_list.
#define PKTSEQI_CSV_ERROR(csv, ...) \
    pktseqi_error((csv)->err, PKTSEQ_ERROR_DATA, (csv)->line, __VA_ARGS__)

// A block of memory that is read as a stream, at the price of a copy into the window: so there is
// one reader for memory and files.
typedef struct pktseqi_bytes {
    const unsigned char *data;
    size_t size, used;
} pktseqi_bytes;

// Reads from memory: a pktseq_read_fn.
static size_t pktseqi_bytes_read(void *user, void *to, size_t size, int *failed) {
    pktseqi_bytes *bytes = (pktseqi_bytes *)user;
    size_t left = bytes->size - bytes->used;
    (void)failed;
    if (size > left) size = left;
    if (size) memcpy(to, bytes->data + bytes->used, size);
    bytes->used += size;
    return size;
}

// Discards the rows done, and reads until the window is full or the input ends. A window that one
// row fills is doubled, so a row of n bytes is moved and scanned O(log n) times. Afterwards csv->at
// is 0 and offsets into the window are invalid: a row that was scanned in part is scanned again.
static pktseq_status pktseqi_csv_fill(pktseqi_csv *csv) {
    size_t got = 1;
    int failed = 0;
    if (csv->at) memmove(csv->data, csv->data + csv->at, csv->size - csv->at);
    csv->size -= csv->at;
    csv->at = 0;
    if (csv->size + 1 >= csv->capacity) {
        size_t twice = csv->capacity ? pktseqi_plus(csv->capacity, csv->capacity)
                                     : (size_t)PKTSEQI_CSV_WINDOW;
        if (!pktseqi_grow(&csv->allocator, &csv->data, &csv->capacity, csv->size, twice, 1))
            return pktseqi_no_memory(csv->err);
    }
    while (got && csv->size + 1 < csv->capacity) {
        size_t room = csv->capacity - 1 - csv->size;
        // A read_fn that reports more than there is room for is broken: the number is not used.
        got = csv->read_fn(csv->user_data, csv->data + csv->size, room, &failed);
        if (failed || got > room)
            return pktseqi_error(csv->err, PKTSEQ_ERROR_FILE, 0, "reading failed");
        csv->size += got;
    }
    if (!got) csv->ended = 1;
    csv->data[csv->size] = 0;
    ++csv->fills;
    return PKTSEQ_OK;
}

// Counts a cell, and stores its bounds if it is among the first csv->keep: an export of Wireshark
// may have hundreds of columns that are not requested. The header sets `keep`.
static pktseq_status pktseqi_csv_store(pktseqi_csv *csv, size_t begin, size_t end) {
    if (csv->cells < csv->keep) {
        size_t *bound, pair = 2 * sizeof *bound;
        if (csv->cells == csv->cell_capacity &&
            !pktseqi_grow(&csv->allocator, &csv->bound, &csv->cell_capacity, csv->cells,
                          csv->cells + 32, pair))
            return pktseqi_no_memory(csv->err);
        bound = csv->bound + 2 * csv->cells;
        bound[0] = begin;
        bound[1] = end;
    }
    ++csv->cells;
    if (end > begin) csv->filled = csv->cells;
    return PKTSEQ_OK;
}

// Fails because of a NUL byte. UTF-16 has one in every other byte.
static pktseq_status pktseqi_csv_nul(pktseqi_csv *csv) {
    return PKTSEQI_CSV_ERROR(csv, "found a NUL byte in cell %z, expected text (is the file UTF-16 "
                             "or binary?)", csv->cells + 1);
}

// Notes that a quote makes the current row unreadable at p, on `line`. The row can be left out only
// if it has no line end before p: a quote that opens by mistake may have swallowed many rows, which
// must not count as one.
static void pktseqi_csv_tear(pktseqi_csv *csv, size_t p, size_t line) {
    csv->at = p;
    csv->next_line = line;
    csv->torn = line == csv->line;
}

// Scans a quoted cell that opens at *p; *p is then after its closing quote. Returns PKTSEQ_END if
// the window ends before. Line ends within quotes are part of the cell, and counted in *line, so
// that messages name lines as editors do.
static pktseq_status pktseqi_csv_quoted(pktseqi_csv *csv, size_t *p, size_t *line) {
    const char *d = csv->data;
    size_t i = *p + 1, opened = *line;
    for (;;) {
        for (; i < csv->size && d[i] != '"'; ++i) {
            if ((unsigned char)d[i] > '\r') continue;  // nearly every byte
            if (d[i] == 0) return pktseqi_csv_nul(csv);
            if (d[i] == '\n' || (d[i] == '\r' && i + 1 < csv->size && d[i + 1] != '\n')) ++*line;
        }
        // Whether a quote closes the cell is decided by the byte after it.
        if (i + 1 >= csv->size && !csv->ended) return PKTSEQ_END;
        if (i == csv->size) {
            pktseqi_csv_tear(csv, i, *line);
            return pktseqi_error(csv->err, PKTSEQ_ERROR_DATA, opened, "the quote that opens cell "
                                 "%z is never closed", csv->cells + 1);
        }
        if (i + 1 == csv->size || d[i + 1] != '"') break;
        i += 2;
        csv->doubled = 1;
    }
    *p = ++i;
    if (i == csv->size || d[i] == csv->separator || d[i] == '\n' || d[i] == '\r')
        return PKTSEQ_OK;
    pktseqi_csv_tear(csv, i, *line);
    return PKTSEQI_CSV_ERROR(csv, "found text after the closing quote of cell %z, expected a "
                             "separator or the end of the line", csv->cells + 1);
}

// Returns what follows the line end at p (LF, CRLF or CR), or 0 if the window ends after a CR,
// which may be half of a CRLF.
static size_t pktseqi_csv_newline(const pktseqi_csv *csv, size_t p) {
    if (csv->data[p++] == '\n') return p;
    if (p == csv->size) return csv->ended ? p : 0;
    return p + (csv->data[p] == '\n');
}

// Finds the cells of the next row; none at the end of the input. Returns PKTSEQ_END if the window
// ends before the row does: then `at` and `next_line` are unchanged, so that the caller can fill
// the window and call again. Lines without any byte are no rows; the last line end may be missing.
static pktseq_status pktseqi_csv_scan(pktseqi_csv *csv) {
    const char *d = csv->data;
    size_t p = csv->at, line = csv->next_line;
    csv->cells = csv->filled = 0;
    csv->doubled = csv->torn = 0;
    while (p < csv->size && (d[p] == '\n' || d[p] == '\r')) {
        p = pktseqi_csv_newline(csv, p);
        if (!p) return PKTSEQ_END;
        ++line;
    }
    if (p == csv->size) {
        csv->at = p;
        csv->next_line = line;
        return csv->ended ? PKTSEQ_OK : PKTSEQ_END;
    }
    csv->line = line;
    for (;; ++p) {
        size_t begin = p, end;
        pktseq_status status;
        // d[size] is the zero after the window; in this order the second test is seldom needed.
        if (d[p] == '"' && p < csv->size) {
            status = pktseqi_csv_quoted(csv, &p, &line);
            if (status) return status;
            ++begin;
            end = p - 1;
        } else {
            while (p < csv->size && d[p] != csv->separator && d[p] != '\n' && d[p] != '\r')
                if (d[p++] == 0) return pktseqi_csv_nul(csv);
            end = p;
        }
        if (p == csv->size && !csv->ended) return PKTSEQ_END;
        status = pktseqi_csv_store(csv, begin, end);
        if (status) return status;
        if (p == csv->size || d[p] != csv->separator) break;
    }
    if (p < csv->size) p = pktseqi_csv_newline(csv, p);
    if (!p) return PKTSEQ_END;
    csv->at = p;
    csv->next_line = line + 1;
    return PKTSEQ_OK;
}

// Finds the cells of the next row, filling the window as needed; none at the end of the input. The
// loop ends, since each filling adds bytes, doubles the window or finds the end of the input.
static pktseq_status pktseqi_csv_row(pktseqi_csv *csv) {
    for (;;) {
        pktseq_status status = pktseqi_csv_scan(csv);
        if (status != PKTSEQ_END) return status;
        status = pktseqi_csv_fill(csv);
        if (status) return status;
    }
}

// Skips the rest of a row that is torn, up to its line end, which the next row passes as an empty
// line. The window holds no row meanwhile, so it does not grow for a long one.
static pktseq_status pktseqi_csv_skip(pktseqi_csv *csv) {
    for (;;) {
        pktseq_status status;
        for (; csv->at < csv->size; ++csv->at) {
            char c = csv->data[csv->at];
            if (c == '\n' || c == '\r') return PKTSEQ_OK;
            if (c == 0) return pktseqi_csv_nul(csv);
        }
        if (csv->ended) return PKTSEQ_OK;
        status = pktseqi_csv_fill(csv);
        if (status) return status;
    }
}

// Returns cell i of the current row as a C string, in the window itself, with one quote for each
// doubled one. The opening quote then becomes a 0, which marks the cell as done for a second call.
// The byte after the cell, a separator, quote or line end, becomes the final 0: so the whole row
// must have been scanned.
static char *pktseqi_csv_cell(pktseqi_csv *csv, size_t i, size_t *size) {
    size_t begin = csv->bound[2 * i], end = csv->bound[2 * i + 1];
    char *cell = csv->data + begin;
    if (csv->doubled && begin > 0 && cell[-1] == '"') {  // only a quoted cell begins after a quote
        char *past = csv->data + end, *to = (char *)memchr(cell, '"', end - begin);
        for (char *from = to; from && from < past; ++from) {  // most have no quote
            *to++ = *from;
            if (*from == '"') ++from;
        }
        cell[-1] = 0;
        if (to) csv->bound[2 * i + 1] = end = (size_t)(to - csv->data);
    }
    csv->data[end] = 0;
    *size = end - begin;
    return cell;
}

// Recognises by its first bytes input that is neither CSV nor a capture that can be read. Returns
// what it is and what to do with it, which helps more than an error about a missing column; NULL if
// it may be one of the two. JSON begins with {, or with [ before { or a line end.
static const char *pktseqi_sniff(const void *data, size_t size) {
    static const char
        packed[] = "a compressed file (gzip, zstd, xz, bzip2, lz4, zip or 7z), or a spreadsheet: "
                   "unpack it first, or save the spreadsheet as CSV",
        capture[] = "a capture that is neither pcap nor pcapng: convert it first (editcap -F pcap)",
        utf16[] = "UTF-16 text, expected UTF-8: save the file as UTF-8 (PowerShell: Get-Content "
                  "A.csv | Set-Content -Encoding utf8 B.csv)",
        other[] = "JSON, XML or a log of Zeek, expected CSV with a row for each packet: make it "
                  "from the capture with " PKTSEQ_TSHARK;
    static const struct {
        const char *magic;
        size_t size;
        const char *what;
    } list[] = {{"\x1f\x8b", 2, packed}, {"\x28\xb5\x2f\xfd", 4, packed},
                {"\xfd" "7zXZ", 5, packed}, {"BZh", 3, packed}, {"\x04\x22\x4d\x18", 4, packed},
                {"PK\x03\x04", 4, packed}, {"7z\xbc\xaf", 4, packed},
                {"snoop\0", 6, capture}, {"GMBU", 4, capture}, {"XCP\0", 4, capture},
                {"\xff\xfe", 2, utf16}, {"\xfe\xff", 2, utf16}, {"{", 1, other},
                {"[{", 2, other}, {"[\n", 2, other}, {"<?xml", 5, other},
                {"#separator", 10, other}, {"#fields", 7, other}};
    for (size_t i = 0; i < PKTSEQI_LENGTH(list); ++i)
        if (size >= list[i].size && memcmp(data, list[i].magic, list[i].size) == 0)
            return list[i].what;
    return NULL;
}

// Reads the first window, skips a byte order mark of UTF-8, as Excel and PowerShell write it, and
// refuses what pktseqi_sniff recognises.
static pktseq_status pktseqi_csv_open(pktseqi_csv *csv) {
    pktseq_status status;
    const char *what;
    csv->keep = (size_t)-1;
    csv->next_line = 1;
    status = pktseqi_csv_fill(csv);
    if (status) return status;
    if (csv->size >= 3 && memcmp(csv->data, "\xef\xbb\xbf", 3) == 0) csv->at = 3;
    what = pktseqi_sniff(csv->data, csv->size);
    if (what) return pktseqi_error(csv->err, PKTSEQ_ERROR_DATA, 1, "found %s", what);
    return PKTSEQ_OK;
}

// Detects the separator for a schema that does not give it: a comma if it separates the header line
// into cells, else the one that gives most cells: tshark writes tabs, Excel semicolons where
// numbers have a comma. The line is scanned with each, and is still to be read afterwards. With a
// wrong separator a quote within a cell may be an error, which only excludes that separator.
static pktseq_status pktseqi_csv_guess(pktseqi_csv *csv) {
    static const char separator[] = ",\t;|";
    size_t most = 1, best = 0, at, line;
    for (size_t i = 0; separator[i] && (i == 0 || best > 0 || most == 1); ++i) {
        pktseq_status status;
        csv->separator = separator[i];
        for (;;) {  // empty lines may fill a window; they are skipped for good
            at = csv->at;
            line = csv->next_line;
            status = pktseqi_csv_scan(csv);
            if (status != PKTSEQ_END) break;
            status = pktseqi_csv_fill(csv);
            if (status) return status;
        }
        if (status == PKTSEQ_ERROR_MEMORY) return status;  // other failures are of this separator
        if (status == PKTSEQ_OK && csv->cells > most) {
            most = csv->cells;
            best = i;
        }
        csv->at = at;
        csv->next_line = line;
    }
    csv->separator = separator[best];
    return pktseqi_ok(csv->err);
}

// ---- >>names: protocols by port, addresses as text --------------------------------------------
//
// What packets are called: services by port and transports by number, spelled as Wireshark's column
// Protocol has them, and addresses as inet_ntop writes them.

// A number and its name.
typedef struct pktseqi_named {
    uint16_t number;
    const char *name;
} pktseqi_named;

// Returns the name of a number in a list that is sorted by number, or `none`.
static const char *pktseqi_name_of(const pktseqi_named *list, size_t count, unsigned number,
                                   const char *none) {
    size_t low = 0;
    while (low < count) {
        size_t middle = (low + count) / 2;
        if (list[middle].number == number) return list[middle].name;
        if (list[middle].number < number) low = middle + 1;
        else count = middle;
    }
    return none;
}

// Two arguments: an array and its length.
#define PKTSEQI_ROWS(array) (array), PKTSEQI_LENGTH(array)

// Services by port, with the names that Wireshark gives TCP's and UDP's: of IANA's thousands
// (iana.org/assignments/service-names-port-numbers) those of which a network has enough to learn
// from. Payloads are not dissected: a dissector is more code than all of this header, and encrypted
// ones show nothing. Checkpoints tell whether names come from a dissector or from here (see
// PKTSEQ_NAMING_PORTS), since to a model of one kind the other's traffic looks anomalous.
static const pktseqi_named pktseqi_tcp_services[] = {
    {20, "FTP-DATA"},  {21, "FTP"},       {22, "SSH"},      {23, "TELNET"},    {25, "SMTP"},
    {37, "TIME"},      {43, "WHOIS"},     {49, "TACACS+"},  {53, "DNS"},       {79, "FINGER"},
    {80, "HTTP"},      {88, "KRB5"},      {102, "COTP"},    {110, "POP"},      {111, "Portmap"},
    {113, "IDENT"},    {119, "NNTP"},     {135, "DCERPC"},  {139, "NBSS"},     {143, "IMAP"},
    {161, "SNMP"},     {179, "BGP"},      {194, "IRC"},     {389, "LDAP"},     {443, "TLS"},
    {445, "SMB2"},     {465, "TLS"},      {502, "Modbus/TCP"}, {514, "RSH"},   {515, "LPD"},
    {554, "RTSP"},     {587, "SMTP"},     {631, "IPP"},     {636, "TLS"},      {853, "TLS"},
    {873, "RSYNC"},    {993, "TLS"},      {995, "TLS"},     {1080, "Socks"},   {1433, "TDS"},
    {1521, "TNS"},     {1723, "PPTP"},    {1883, "MQTT"},   {2049, "NFS"},     {2404, "104apci"},
    {3128, "HTTP"},    {3306, "MySQL"},   {3389, "TPKT"},   {5060, "SIP"},     {5222, "XMPP/XML"},
    {5432, "PGSQL"},   {5672, "AMQP"},    {5900, "VNC"},    {6000, "X11"},     {6379, "RESP"},
    {6667, "IRC"},     {8080, "HTTP"},    {8443, "TLS"},    {8883, "TLS"},     {9092, "Kafka"},
    {20000, "DNP 3.0"}, {27017, "MONGO"}, {44818, "ENIP"}};
static const pktseqi_named pktseqi_udp_services[] = {
    {37, "TIME"},      {53, "DNS"},       {67, "DHCP"},     {68, "DHCP"},      {69, "TFTP"},
    {88, "KRB5"},      {111, "Portmap"},  {123, "NTP"},     {137, "NBNS"},     {138, "NBDS"},
    {161, "SNMP"},     {162, "SNMP"},     {389, "CLDAP"},   {443, "QUIC"},     {500, "ISAKMP"},
    {514, "Syslog"},   {520, "RIP"},      {546, "DHCPv6"},  {547, "DHCPv6"},   {853, "QUIC"},
    {1194, "OpenVPN"}, {1701, "L2TP"},    {1812, "RADIUS"}, {1813, "RADIUS"},  {1900, "SSDP"},
    {2049, "NFS"},     {2055, "CFLOW"},   {2123, "GTPv2"},  {2152, "GTP"},     {3389, "RDPUDP"},
    {3478, "STUN"},    {3544, "Teredo"},  {3784, "BFD Control"}, {4500, "ESP"}, {4789, "VXLAN"},
    {5060, "SIP"},     {5353, "MDNS"},    {5355, "LLMNR"},  {5683, "CoAP"},    {6081, "Geneve"},
    {47808, "BACnet"}, {51820, "WireGuard"}};

// Returns the name of a port's service, or NULL.
static const char *pktseqi_service(unsigned port, int udp) {
    return udp ? pktseqi_name_of(PKTSEQI_ROWS(pktseqi_udp_services), port, NULL)
               : pktseqi_name_of(PKTSEQI_ROWS(pktseqi_tcp_services), port, NULL);
}

// Returns a transport's name; for one without a name "IP-" and its number. All are constants of the
// program, so a packet can store the pointer.
static const char *pktseqi_transport_name(unsigned transport) {
#define PKTSEQI_TEN(d) "IP-" #d "0", "IP-" #d "1", "IP-" #d "2", "IP-" #d "3", "IP-" #d "4", \
                       "IP-" #d "5", "IP-" #d "6", "IP-" #d "7", "IP-" #d "8", "IP-" #d "9"
    static const char *const number[] = {
        PKTSEQI_TEN(), PKTSEQI_TEN(1), PKTSEQI_TEN(2), PKTSEQI_TEN(3), PKTSEQI_TEN(4),
        PKTSEQI_TEN(5), PKTSEQI_TEN(6), PKTSEQI_TEN(7), PKTSEQI_TEN(8), PKTSEQI_TEN(9),
        PKTSEQI_TEN(10), PKTSEQI_TEN(11), PKTSEQI_TEN(12), PKTSEQI_TEN(13), PKTSEQI_TEN(14),
        PKTSEQI_TEN(15), PKTSEQI_TEN(16), PKTSEQI_TEN(17), PKTSEQI_TEN(18), PKTSEQI_TEN(19),
        PKTSEQI_TEN(20), PKTSEQI_TEN(21), PKTSEQI_TEN(22), PKTSEQI_TEN(23), PKTSEQI_TEN(24),
        PKTSEQI_TEN(25)};
#undef PKTSEQI_TEN
    static const pktseqi_named names[] = {
        {0, "IPv6"},  {1, "ICMP"},  {2, "IGMP"},    {4, "IPv4"},     {6, "TCP"},     {17, "UDP"},
        {33, "DCCP"}, {41, "IPv6"}, {43, "IPv6"},   {44, "IPv6"},    {46, "RSVP"},   {47, "GRE"},
        {50, "ESP"},  {51, "AH"},   {58, "ICMPv6"}, {59, "IPv6"},    {60, "IPv6"},   {88, "EIGRP"},
        {89, "OSPF"}, {97, "EtherIP"}, {103, "PIM"}, {112, "VRRP"},  {115, "L2TP"},  {132, "SCTP"},
        {135, "MIPv6"}, {136, "UDP-Lite"}};
    return pktseqi_name_of(PKTSEQI_ROWS(names), transport, number[transport & 255]);
}

// Names a packet by the service of one of its ports, if it has a payload: the lower port first,
// since clients take high ones; else by its transport. Wireshark, too, calls an HTTP connection's
// SYNs and bare ACKs "TCP".
static void pktseqi_packet_name(pktseq_packet *packet) {
    int udp = packet->transport == 17, lower = packet->src_port <= packet->dst_port;
    const char *name = NULL;
    if (packet->payload && (udp || packet->transport == 6)) {
        name = pktseqi_service(lower ? packet->src_port : packet->dst_port, udp);
        if (!name) name = pktseqi_service(lower ? packet->dst_port : packet->src_port, udp);
    }
    if (name) packet->notes |= PKTSEQ_NOTE_BY_PORT;
    packet->protocol = name ? name : pktseqi_transport_name(packet->transport);
}

PKTSEQ_DEF size_t pktseq_address_text(const unsigned char address[16], char text[46]) {
    pktseqi_text t = pktseqi_text_fixed(text, 46);
    unsigned word[8];
    int zeros = -1, run = 1;  // begin and length of the first longest run of two or more zeros
    for (int i = 0, length = 0; i < 8; ++i) {
        word[i] = (unsigned)address[2 * i] << 8 | address[2 * i + 1];
        length = word[i] ? 0 : length + 1;
        if (length <= run) continue;
        run = length;
        zeros = i + 1 - length;
    }
    if (zeros == 0 && (run == 6 || (run == 5 && word[5] == 0xffff))) {  // IPv4 within
        if (run == 6) pktseqi_put_text(&t, "::");
        for (int i = 12; i < 16; ++i) pktseqi_put(&t, i < 15 ? "%z." : "%z", (size_t)address[i]);
        return t.size;
    }
    for (int i = 0; i < 8; ++i) {
        int digits = word[i] >> 12 ? 4 : word[i] >> 8 ? 3 : word[i] >> 4 ? 2 : 1;
        if (i == zeros) {  // the colon before it is written already, except at the front
            pktseqi_put_text(&t, i == 0 ? "::" : ":");
            i += run - 1;
            continue;
        }
        pktseqi_put_hex(&t, word[i], digits);
        if (i < 7) pktseqi_put_text(&t, ":");
    }
    return t.size;
}

// ---- >>frame: link and network layers of one packet -------------------------------------------
//
// A frame is parsed from its outermost header to its innermost. Each step reads one header and sets
// the step for the next one; an IP header overwrites what the previous one said, so the innermost
// packet remains. A header that is only skipped is a line of a table (number, bytes, next step);
// one that has to be read is a function. To add a protocol, add a line to the table of what carries
// it: pktseqi_links, pktseqi_ethertypes, the protocols of IP in pktseqi_walk_protocol, or the ports
// of UDP in pktseqi_walk_udp.
//
//      | headers passed | next header ... captured |  not captured  | padding, not the packet's |
//                       at                     at + size        at + wire
//
// For a web server's answer on a switch with VLANs the steps are
//
//      Ethernet 14 bytes | tag 4 | IPv4 20 | TCP 20 to 60 | payload
//      walk_tag            walk_tag  walk_ip   walk_protocol, walk_tcp
//
// and for the same within VXLAN they continue after UDP's 8 bytes and VXLAN's 8 with walk_tag. A
// frame takes 34 ns. tshark is the reference for what counts as a packet: tests/captures.py
// compares every field.
//
// No step reads a byte before pktseqi_walk_has or _pass has checked that it is captured. The bytes
// just passed may still be read: a step that reads w->at - 2 follows a pass of at least two bytes.

typedef struct pktseqi_walk {
    const unsigned char *at;
    size_t size;            // bytes captured from there on, at most wire
    size_t wire;            // bytes on the wire from there on, by the headers passed so far
    void (*next)(struct pktseqi_walk *w);  // reads the next header; NULL = the walk ends
    unsigned type;          // link type, Ethertype or IP protocol that the next header was found by
    int found;              // number of IP headers
    int six;                // the last one was IPv6
    const char *other;      // what the frame carries instead of IP
    pktseq_packet *packet;
} pktseqi_walk;

// A line of a table: a number in a header, and the step that follows after `bytes` more.
typedef struct pktseqi_route {
    uint16_t number, bytes;
    void (*next)(pktseqi_walk *w);
} pktseqi_route;

// Every step passes at least one byte, ends the walk, or leads to one that does (walk_type to
// walk_llc), so every walk ends. The limit is for hostile frames: a thousand nested headers of IPv6
// take 42 us.
enum {
    PKTSEQI_MAX_LAYERS = 1000,  // steps for a frame; one of 256 kB has room for 65,000 MPLS labels
    PKTSEQI_ETHERNET = 14       // bytes of its header (IEEE 802.3), the last two an Ethertype
};

// Return a number of two or four bytes in network order, or of four in little-endian order.
static unsigned pktseqi_be16(const unsigned char *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint32_t pktseqi_be32(const unsigned char *p) {
    return (uint32_t)pktseqi_be16(p) << 16 | pktseqi_be16(p + 2);
}
static uint32_t pktseqi_le32(const unsigned char *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

// Returns 1 if (bytes) of the next header are captured. If more were on the wire, the snap length
// was too short for the headers, which is noted.
static int pktseqi_walk_has(pktseqi_walk *w, size_t bytes) {
    if (w->size >= bytes) return 1;
    if (w->wire > w->size) w->packet->notes |= PKTSEQ_NOTE_CUT_OFF;
    return 0;
}

// Passes (bytes) and sets the next step. Returns 0, and the walk ends, if they are not captured.
static int pktseqi_walk_pass(pktseqi_walk *w, size_t bytes, void (*next)(pktseqi_walk *)) {
    if (!pktseqi_walk_has(w, bytes)) return 0;
    w->at += bytes;
    w->size -= bytes;
    w->wire -= bytes;
    w->next = next;
    return 1;
}

// Trims padding to (bytes), a header's length of all that follows. Ethernet pads frames to 60
// bytes, which would otherwise count as the payload of a bare ACK, and name it by its port.
static void pktseqi_walk_trim(pktseqi_walk *w, size_t bytes) {
    if (w->wire > bytes) w->wire = bytes;
    if (w->size > bytes) w->size = bytes;
}

// Takes the step of the table's line with this number. Returns 0 if there is none. The first line
// has the most frequent number, so normal traffic takes one comparison.
static int pktseqi_walk_by(pktseqi_walk *w, const pktseqi_route *list, size_t count,
                           unsigned number) {
    for (size_t i = 0; i < count; ++i)
        if (list[i].number == number) {
            pktseqi_walk_pass(w, list[i].bytes, list[i].next);
            return 1;
        }
    return 0;
}

// ---- what carries IP

// The steps form a circle: an Ethertype leads to IP, and a tunnel in IP back to an Ethertype.
static void pktseqi_walk_hdlc(pktseqi_walk *w);
static void pktseqi_walk_tag(pktseqi_walk *w);
static void pktseqi_walk_type(pktseqi_walk *w);
static void pktseqi_walk_protocol(pktseqi_walk *w);

// Copies protocol and addresses of a fixed header: of IPv4 (RFC 791) 9 protocol, 12 source, 16
// destination; of IPv6 (RFC 8200) 6 next header, 8 source, 24 destination. What an outer IP header
// has set is cleared, except the note that the snap length ended a header. Both callers have
// checked that the whole fixed header is captured.
static void pktseqi_walk_found(pktseqi_walk *w, int six) {
    pktseq_packet *packet = w->packet;
    w->type = w->at[six ? 6 : 9];
    w->six = six;
    packet->notes &= PKTSEQ_NOTE_CUT_OFF;
    if (w->found++) packet->notes |= PKTSEQ_NOTE_TUNNEL;
    packet->transport = (uint8_t)w->type;
    packet->src_port = packet->dst_port = packet->flags = packet->icmp_id = 0;
    packet->icmp_type = packet->icmp_code = 0;
    packet->payload = 0;
    if (six) {
        memcpy(packet->src, w->at + 8, 16);
        memcpy(packet->dst, w->at + 24, 16);
        return;
    }
    memset(packet->src, 0, 16);
    memset(packet->src + 10, 0xff, 2);  // ::ffff:a.b.c.d
    memcpy(packet->dst, packet->src, 12);
    memcpy(packet->src + 12, w->at + 12, 4);
    memcpy(packet->dst + 12, w->at + 16, 4);
}

// Reads IPv4: 0 version and length of the header in words, 2 total length, 6 flags and offset of a
// fragment, of which the first has the ports and any other only data. A total length of 0 is a
// packet that the network card was to segment (TSO); one below the header's is not IP.
//
//   0 version 4 bits, words of header 4 | 1 service | 2 total length | 4 identification
//   6 flags 3 bits, offset 13 | 8 time to live | 9 protocol | 10 checksum | 12 source
//   16 destination | 20 options
static void pktseqi_walk_ipv4(pktseqi_walk *w) {
    size_t header = 4 * (size_t)(w->at[0] & 15), total;
    unsigned offset;
    if (!pktseqi_walk_has(w, 20)) return;
    total = pktseqi_be16(w->at + 2);
    offset = pktseqi_be16(w->at + 6) & 0x3fff;
    if (header < 20 || (total && total < header)) return;
    if (total) pktseqi_walk_trim(w, total);
    pktseqi_walk_found(w, 0);
    if (!pktseqi_walk_pass(w, header, pktseqi_walk_protocol) || !offset) return;
    w->packet->notes |= PKTSEQ_NOTE_FRAGMENT;
    if (!(offset & 0x1fff)) return;
    w->packet->notes |= PKTSEQ_NOTE_NO_PORTS;
    w->next = NULL;
}

// Reads IPv6, and no other version: 4 length of the payload, 0 for a jumbogram (RFC 2675).
//
//   0 version 4 bits, class 8, flow 20 | 4 length | 6 next header | 7 hop limit | 8 source
//   24 destination | 40 extension headers
static void pktseqi_walk_ipv6(pktseqi_walk *w) {
    size_t payload;
    if (!pktseqi_walk_has(w, 1) || w->at[0] >> 4 != 6 || !pktseqi_walk_has(w, 40)) return;
    payload = pktseqi_be16(w->at + 4);
    pktseqi_walk_found(w, 1);
    pktseqi_walk_pass(w, 40, pktseqi_walk_protocol);
    if (payload) pktseqi_walk_trim(w, payload);
}

// Reads IP of the version in its first four bits, whatever number led here: raw IP and tunnels have
// one number for both versions.
static void pktseqi_walk_ip(pktseqi_walk *w) {
    if (w->size && w->at[0] >> 4 == 4) pktseqi_walk_ipv4(w);
    else pktseqi_walk_ipv6(w);
}

// Reads one label of MPLS (RFC 3032). The last one does not name what follows: the first four bits
// of an IP packet are its version, 0 begins the control word of an Ethernet pseudowire (RFC 4385).
//
//   0 label 20 bits, class 3, bottom of the stack 1, time to live 8
static void pktseqi_walk_mpls(pktseqi_walk *w) {
    static const pktseqi_route list[] = {{4, 0, pktseqi_walk_ip}, {6, 0, pktseqi_walk_ip},
                                         {0, 4 + PKTSEQI_ETHERNET, pktseqi_walk_tag}};
    if (!pktseqi_walk_pass(w, 4, pktseqi_walk_mpls) || !(w->at[-2] & 1)) return;
    w->next = NULL;
    if (!pktseqi_walk_has(w, 1)) return;
    w->other = "MPLS";
    pktseqi_walk_by(w, PKTSEQI_ROWS(list), w->at[0] >> 4);
}

// Reads the point-to-point protocol, with or without HDLC's address and control (RFC 1661, 1662).
// Its numbers of IP are 21 and 57, of MPLS 281 and 283; some programs write Ethertypes instead.
// What begins with 0f or 8f is Cisco's HDLC on the same kind of link (RFC 1547 4.3.1).
static void pktseqi_walk_ppp(pktseqi_walk *w) {
    static const pktseqi_route list[] = {
        {0x0021, 0, pktseqi_walk_ip},   {0x0057, 0, pktseqi_walk_ip},
        {0x0800, 0, pktseqi_walk_ip},   {0x86dd, 0, pktseqi_walk_ip},
        {0x0281, 0, pktseqi_walk_mpls}, {0x0283, 0, pktseqi_walk_mpls}};
    unsigned protocol;
    size_t bytes;
    if (w->size >= 2 && w->at[0] == 0xff) pktseqi_walk_pass(w, 2, NULL);
    if (!pktseqi_walk_has(w, 1)) return;
    if ((w->at[0] & 0x7f) == 0x0f) {
        pktseqi_walk_pass(w, 4, pktseqi_walk_hdlc);
        return;
    }
    bytes = w->at[0] & 1 ? 1 : 2;  // the first odd byte is the last of a protocol's number
    if (!pktseqi_walk_has(w, bytes)) return;
    protocol = bytes == 1 ? w->at[0] : pktseqi_be16(w->at);
    pktseqi_walk_pass(w, bytes, NULL);
    w->other = "PPP";
    if (protocol == 0x31 && pktseqi_walk_has(w, 2) && w->at[1] == 1)  // bridged, RFC 3518
        pktseqi_walk_pass(w, 2 + PKTSEQI_ETHERNET, pktseqi_walk_tag);
    else
        pktseqi_walk_by(w, PKTSEQI_ROWS(list), protocol);
}

// Continues after the header of PPP over Ethernet (RFC 2516), whose last two bytes are PPP's
// length.
//
//   0 version and type | 1 code, 0 | 2 session | 4 length | 6 PPP
static void pktseqi_walk_pppoe(pktseqi_walk *w) {
    pktseqi_walk_trim(w, pktseqi_be16(w->at - 2));
    w->next = pktseqi_walk_ppp;
}

// Continues after SNAP (IEEE 802.2), the last 5 of 8 bytes: organisation 3, type 2. Of organisation
// 0 (or f8, Cisco's) the type is an Ethertype; c is Cisco itself.
//
//   0 aa | 1 aa | 2 control | 3 organisation | 6 type
static void pktseqi_walk_snap(pktseqi_walk *w) {
    uint32_t organisation = pktseqi_be32(w->at - 6) & 0xffffff;
    w->type = pktseqi_be16(w->at - 2);
    if (organisation == 0 || organisation == 0x0000f8)
        w->next = pktseqi_walk_type;
    else if (organisation == 0x0080c2 && (w->type == 1 || w->type == 7))  // bridged, RFC 2427
        pktseqi_walk_pass(w, PKTSEQI_ETHERNET, pktseqi_walk_tag);
    else if (organisation == 0x00000c && (w->type == 0x2000 || w->type == 0x010b))
        w->other = w->type == 0x2000 ? "CDP" : "STP";
}

// Reads IEEE 802.2: two service access points and control. aa is SNAP's, 06 IP's; of others only
// the name is reported.
static void pktseqi_walk_llc(pktseqi_walk *w) {
    static const pktseqi_route list[] = {{0xaa, 8, pktseqi_walk_snap}, {0x06, 3, pktseqi_walk_ip}};
    static const pktseqi_named names[] = {
        {0x42, "STP"}, {0xe0, "IPX"}, {0xf0, "NetBIOS"}, {0xfe, "ISIS"}, {0xff, "IPX"}};
    if (!pktseqi_walk_has(w, 3) || pktseqi_walk_by(w, PKTSEQI_ROWS(list), w->at[0])) return;
    w->other = pktseqi_name_of(PKTSEQI_ROWS(names), w->at[0], w->other);
}

// Reads MACsec (IEEE 802.1AE) in the clear: the tag, with or without its sender, then an Ethertype.
//
//   0 flags | 1 short length | 2 packet number | 6 sender, 8 bytes, present by a flag
static void pktseqi_walk_macsec(pktseqi_walk *w) {
    if (!pktseqi_walk_has(w, 6)) return;
    if (w->at[0] & 0x0c) w->other = "MACSEC";  // encrypted
    else pktseqi_walk_pass(w, w->at[0] & 0x20 ? 16 : 8, pktseqi_walk_tag);
}

// Ethertypes (IEEE 802 numbers, iana.org/assignments/ieee-802-numbers): packets and tags, which end
// with the next Ethertype.
static const pktseqi_route pktseqi_ethertypes[] = {
    {0x0800, 0, pktseqi_walk_ip},   {0x86dd, 0, pktseqi_walk_ipv6},
    {0x8100, 4, pktseqi_walk_tag},  {0x88a8, 4, pktseqi_walk_tag},   // 802.1Q, 802.1ad
    {0x9100, 4, pktseqi_walk_tag},  {0x9200, 4, pktseqi_walk_tag},   // before those
    {0x8926, 6, pktseqi_walk_tag},  {0x893f, 8, pktseqi_walk_tag},   // VN-Tag, 802.1BR
    {0x8909, 8, pktseqi_walk_tag},  {0x892f, 6, pktseqi_walk_tag},   // Cisco's, HSR
    {0xf1c1, 6, pktseqi_walk_tag},                                   // 802.1CB
    {0x8847, 0, pktseqi_walk_mpls}, {0x8848, 0, pktseqi_walk_mpls},
    {0x880b, 0, pktseqi_walk_ppp},  {0x8864, 6, pktseqi_walk_pppoe},
    {0x88e5, 0, pktseqi_walk_macsec},
    {0x6558, PKTSEQI_ETHERNET, pktseqi_walk_tag},
    {0x88e7, 4 + PKTSEQI_ETHERNET, pktseqi_walk_tag}};               // 802.1ah

// Takes the step of an Ethertype; up to 1500 it is the length of an 802.3 frame (IEEE 802.3 3.2.6).
// Of what carries no IP packet only the name is reported.
static void pktseqi_walk_type(pktseqi_walk *w) {
    static const pktseqi_named names[] = {
        {0x0806, "ARP"},   {0x2000, "CDP"},  {0x6002, "MOP"},    {0x6003, "DEC DNA"},
        {0x6004, "LAT"},   {0x8035, "RARP"}, {0x809b, "AppleTalk"}, {0x80f3, "AARP"},
        {0x8137, "IPX"},   {0x8809, "LACP"}, {0x8863, "PPPoED"}, {0x886f, "MS NLB"},
        {0x888e, "EAPOL"}, {0x8892, "PNIO"}, {0x88a2, "AoE"},    {0x88a4, "ECAT"},
        {0x88b8, "GOOSE"}, {0x88ba, "IEC61850 Sampled Values"},  {0x88cc, "LLDP"},
        {0x88f7, "PTPv2"}, {0x8902, "CFM"},  {0x8906, "FC"},     {0x9000, "LOOP"},
        {0xfefe, "ISIS"}};
    if (w->type <= 1500) w->next = pktseqi_walk_llc;
    else if (!pktseqi_walk_by(w, PKTSEQI_ROWS(pktseqi_ethertypes), w->type))
        w->other = pktseqi_name_of(PKTSEQI_ROWS(names), w->type, w->other);
}

// Takes the step of the Ethertype in the last two bytes passed: of Ethernet, or of a tag.
static void pktseqi_walk_tag(pktseqi_walk *w) {
    w->type = pktseqi_be16(w->at - 2);
    pktseqi_walk_type(w);
}

// ---- link types other than Ethernet

// Continues after Cisco HDLC: address, control, an Ethertype or a number of Cisco's.
static void pktseqi_walk_hdlc(pktseqi_walk *w) {
    if (pktseqi_be16(w->at - 2) == 0x8035) w->other = "SLARP";
    else w->next = pktseqi_walk_tag;
}

// Reads BSD's null and loop: an address family, which null has in the byte order of the capturing
// machine and loop in network order; all families are below 2^16, which tells the order. FF 03
// begins PPP, and some programs write an Ethertype there.
static void pktseqi_walk_null(pktseqi_walk *w) {
    static const pktseqi_route families[] = {  // AF_INET, AF_INET6 of Linux and the BSDs
        {2, 0, pktseqi_walk_ip},  {10, 0, pktseqi_walk_ip}, {24, 0, pktseqi_walk_ip},
        {28, 0, pktseqi_walk_ip}, {30, 0, pktseqi_walk_ip}};
    if (!pktseqi_walk_has(w, 4)) return;
    if (w->at[0] == 0xff && w->at[1] == 3) {
        w->next = pktseqi_walk_ppp;
        return;
    }
    w->type = pktseqi_be32(w->at);
    if (w->type & 0xffff0000u) w->type = pktseqi_le32(w->at);
    pktseqi_walk_pass(w, 4, w->type > 1500 && w->type < 65536 ? pktseqi_walk_type : NULL);
    pktseqi_walk_by(w, PKTSEQI_ROWS(families), w->type);
}

// Reads frame relay: an address of 2 to 4 bytes, 03, perhaps padding, a protocol (RFC 2427); or
// an address of 2 and an Ethertype, as Cisco has it.
static void pktseqi_walk_relay(pktseqi_walk *w) {
    size_t bytes = 2;
    if (!pktseqi_walk_has(w, 4)) return;
    while (bytes < 4 && !(w->at[bytes - 1] & 1)) ++bytes;
    if (!pktseqi_walk_has(w, bytes + 3)) return;
    if (w->at[bytes] != 3) {
        pktseqi_walk_pass(w, bytes + 2, pktseqi_walk_tag);
        return;
    }
    if (w->at[++bytes] == 0) ++bytes;
    if (w->at[bytes] == 0xcc || w->at[bytes] == 0x8e) {
        pktseqi_walk_pass(w, bytes + 1, pktseqi_walk_ip);
    } else if (w->at[bytes] == 0x80 && pktseqi_walk_has(w, bytes + 6)) {  // SNAP
        uint32_t organisation = pktseqi_be32(w->at + bytes) & 0xffffff;
        bytes += organisation == 0x0080c2 ? 6 + PKTSEQI_ETHERNET : 6;
        pktseqi_walk_pass(w, bytes, pktseqi_walk_tag);
    }
}

// Reads Linux cooked captures: the protocol is the last two of 16 bytes (LINKTYPE_LINUX_SLL, 113),
// or the first two of 20 (.._SLL2, 276). It is an Ethertype or names a kind of device.
//
//   SLL    0 direction | 2 device | 4 length of address | 6 address | 14 protocol
//   SLL2   0 protocol | 2 reserved | 4 interface | 8 device | 10 direction | 11 length | 12 address
static void pktseqi_walk_cooked(pktseqi_walk *w) {
    static const pktseqi_route list[] = {{1, 0, NULL},
                                         {3, PKTSEQI_ETHERNET, pktseqi_walk_tag},
                                         {4, 0, pktseqi_walk_llc},
                                         {7, 0, pktseqi_walk_ppp}};
    int first = w->type == 113;
    if (!pktseqi_walk_pass(w, first ? 16 : 20, pktseqi_walk_type)) return;
    w->type = pktseqi_be16(w->at - (first ? 2 : 20));
    pktseqi_walk_by(w, PKTSEQI_ROWS(list), w->type);
}

// ---- what IP carries

// Passes an extension header of IPv6 (RFC 8200 4), or AH (RFC 4302): 0 next header, 1 length in
// units of 8 bytes (AH: 4) without the first 8, so at most 2,048 bytes.
static void pktseqi_walk_extension(pktseqi_walk *w) {
    size_t unit = w->type == 51 ? 4 : 8;
    if (!pktseqi_walk_has(w, 2)) return;
    w->type = w->at[0];
    if (pktseqi_walk_pass(w, 8 + unit * w->at[1], pktseqi_walk_protocol))
        w->packet->transport = (uint8_t)w->type;
}

// Reads the fragment header of IPv6: 0 next header, 2 offset and flags. Only the first fragment has
// the headers that follow. One that is both first and last is no fragment (RFC 6946).
//
//   0 next header | 1 reserved | 2 offset 13 bits, reserved 2, more follow 1 | 4 identification
static void pktseqi_walk_fragment(pktseqi_walk *w) {
    unsigned offset;
    if (!pktseqi_walk_has(w, 8)) return;
    offset = pktseqi_be16(w->at + 2) & 0xfff9;
    w->type = w->packet->transport = w->at[0];
    if (offset) w->packet->notes |= PKTSEQ_NOTE_FRAGMENT;
    if (offset & 0xfff8) w->packet->notes |= PKTSEQ_NOTE_NO_PORTS;
    else pktseqi_walk_pass(w, 8, pktseqi_walk_protocol);
}

// Reads GRE (RFC 2784, 2890; version 1, of PPTP, RFC 2637): 0 flags, 2 Ethertype. Four flags tell
// which words of 4 bytes follow: checksum or routing, key, sequence number, acknowledgement. ERSPAN
// mirrors Ethernet frames: type I has no header of its own, type II, with a sequence number, one of
// 8 bytes. Cisco's metadata are 8 bytes that begin with the next type. Source routes (RFC 1701) are
// obsolete and end the walk.
//
//   0 checksum 1 bit, routing 1, key 1, sequence 1, .., (version 1: acknowledgement 1), version 3
//   2 Ethertype | 4 words by flags
static void pktseqi_walk_gre(pktseqi_walk *w) {
    unsigned flags;
    size_t bytes = 4;
    if (!pktseqi_walk_has(w, 4)) return;
    flags = pktseqi_be16(w->at);
    w->type = pktseqi_be16(w->at + 2);
    if (flags & 0xc000) bytes += 4;
    if (flags & 0x2000) bytes += 4;
    if (flags & 0x1000) bytes += 4;
    if ((flags & 7) == 1 && flags & 0x0080) bytes += 4;
    if (w->type == 0x88be) {
        if (flags & 0x1000) bytes += 8;
        pktseqi_walk_pass(w, bytes + PKTSEQI_ETHERNET, pktseqi_walk_tag);
        return;
    }
    if (w->type == 0x8909 && pktseqi_walk_has(w, bytes + 2)) {
        w->type = pktseqi_be16(w->at + bytes);
        bytes += 8;
    }
    pktseqi_walk_pass(w, bytes, flags & 0x4000 ? NULL : pktseqi_walk_type);
}

// Reads GTP-U (3GPP TS 29.281), or the older version 0 (GSM 09.60), whose header has 20 bytes: 0
// version and flags, 1 type, of which 255 is a user's packet. Any of three flags makes the header
// 12 bytes; one of them announces extension headers: 0 length in words, .., the next one's type.
// The payload is IP or PPP.
//
//   0 version 3 bits, GTP 1, reserved 1, extension 1, sequence 1, number 1 | 1 type | 2 length
//   4 tunnel | 8 sequence | 10 number | 11 type of the first extension header
static void pktseqi_walk_gtp(pktseqi_walk *w) {
    size_t bytes;
    unsigned next = 0;
    if (!pktseqi_walk_has(w, 8) || w->at[1] != 255 || (w->at[0] & 0xd0) != 0x10) return;
    bytes = w->at[0] & 0x20 ? 8 : 20;
    if (bytes == 8 && w->at[0] & 7) {
        bytes = 12;
        if (!pktseqi_walk_has(w, bytes)) return;
        if (w->at[0] & 4) next = w->at[11];
    }
    while (next) {
        size_t length;
        if (!pktseqi_walk_has(w, bytes + 1)) return;
        length = 4 * (size_t)w->at[bytes];
        if (!length || !pktseqi_walk_has(w, bytes + length)) return;
        bytes += length;
        next = w->at[bytes - 1];
    }
    pktseqi_walk_pass(w, bytes, pktseqi_walk_ppp);
    if (w->size && (w->at[0] >> 4 == 4 || w->at[0] >> 4 == 6)) w->next = pktseqi_walk_ip;
}

// Reads Teredo (RFC 4380): an IPv6 packet after an optional authentication (type 1: 13 bytes and
// two strings, whose lengths are bytes 2 and 3) and an optional origin (type 0: 8 bytes). Both
// begin with a zero byte, IPv6 with its version.
static void pktseqi_walk_teredo(pktseqi_walk *w) {
    size_t bytes = 0;
    if (!pktseqi_walk_has(w, 4)) return;
    if (pktseqi_be16(w->at) == 1) bytes = 13 + (size_t)w->at[2] + w->at[3];
    if (w->size >= bytes + 2 && pktseqi_be16(w->at + bytes) == 0) bytes += 8;
    pktseqi_walk_pass(w, bytes, pktseqi_walk_ipv6);
}

// Reads Geneve (RFC 8926): 0 version and length of the options in words, 2 Ethertype.
//
//   0 version 2 bits, words of options 6 | 1 flags | 2 Ethertype | 4 network | 8 options
static void pktseqi_walk_geneve(pktseqi_walk *w) {
    if (!pktseqi_walk_has(w, 8) || w->at[0] >> 6 != 0) return;
    w->type = pktseqi_be16(w->at + 2);
    pktseqi_walk_pass(w, 8 + 4 * (size_t)(w->at[0] & 63), pktseqi_walk_type);
}

// Reads the ports that begin TCP, UDP, SCTP and DCCP. Returns 0 if they are not captured.
static int pktseqi_walk_ports(pktseqi_walk *w) {
    if (!pktseqi_walk_has(w, 4)) return 0;
    w->packet->src_port = (uint16_t)pktseqi_be16(w->at);
    w->packet->dst_port = (uint16_t)pktseqi_be16(w->at + 2);
    return 1;
}

// Reads SCTP or DCCP. The header counts 12 bytes: SCTP's size (RFC 9260) and DCCP's minimum
// (RFC 4340).
static void pktseqi_walk_sctp(pktseqi_walk *w) {
    if (pktseqi_walk_ports(w) && w->wire > 12) w->packet->payload = (uint32_t)w->wire - 12;
}

// Reads TCP (RFC 9293): 12 length of the header in words, and flags, whose three reserved bits
// become one. Of a header shorter than 20 bytes the flags are ignored.
//
//   0 ports | 4 sequence number | 8 acknowledgement | 12 words of header 4 bits, reserved 3,
//   ns cwr ecn urg ack push reset syn fin | 14 window | 16 checksum | 18 urgent | 20 options
static void pktseqi_walk_tcp(pktseqi_walk *w) {
    unsigned flags;
    size_t header;
    if (!pktseqi_walk_ports(w) || !pktseqi_walk_has(w, 14)) return;
    flags = pktseqi_be16(w->at + 12);
    header = 4 * (size_t)(flags >> 12);
    if (header < 20) return;
    w->packet->flags = (uint16_t)((flags & 0x1ff) | (flags & 0xe00 ? 0x200 : 0));
    if (w->wire > header) w->packet->payload = (uint32_t)(w->wire - header);
}

// Reads UDP (RFC 768), 4 length, and enters the tunnel of its destination port, or else of its
// source port. A length of 0 is a jumbogram's; 1 to 7 is shorter than the header. UDP-Lite (RFC
// 3828) has there how many bytes its checksum covers; its length is that of IP.
//
//   0 ports | 4 total length | 6 checksum | 8 data; VXLAN: 8 flags | 12 network | 16 Ethernet
static void pktseqi_walk_udp(pktseqi_walk *w) {
    static const pktseqi_route tunnels[] = {
        {4789, 8 + PKTSEQI_ETHERNET, pktseqi_walk_tag},                // VXLAN, RFC 7348
        {2152, 0, pktseqi_walk_gtp},    {3386, 0, pktseqi_walk_gtp},
        {3544, 0, pktseqi_walk_teredo}, {6081, 0, pktseqi_walk_geneve},
        {4341, 8, pktseqi_walk_ip},                                    // LISP, RFC 6830
        {4754, 0, pktseqi_walk_gre},    {6635, 0, pktseqi_walk_mpls}}; // RFC 8086, 7510
    size_t length;
    int lite = w->type == 136;
    if (!pktseqi_walk_ports(w) || !pktseqi_walk_has(w, 8)) return;
    length = pktseqi_be16(w->at + 4);
    if (!lite && length < 8 && (length || !w->six)) return;
    if (!lite && length >= 8) pktseqi_walk_trim(w, length);
    pktseqi_walk_pass(w, 8, NULL);
    w->packet->payload = (uint32_t)w->wire;
    if (!pktseqi_walk_by(w, PKTSEQI_ROWS(tunnels), w->packet->dst_port))
        pktseqi_walk_by(w, PKTSEQI_ROWS(tunnels), w->packet->src_port);
}

// Reads ICMP and ICMPv6: 0 type, 1 code, 4 the identifier of the messages that have one: echo, and
// of ICMP 13 to 18, timestamps, information and masks. The packet that an error quotes is ignored.
//
//   0 type | 1 code | 2 checksum | 4 identifier | 6 sequence number, or other fields by type
static void pktseqi_walk_icmp(pktseqi_walk *w) {
    unsigned type;
    int echo;
    if (!pktseqi_walk_has(w, 2)) return;
    type = w->at[0];
    echo = w->type == 58 ? type == 128 || type == 129
                         : type == 0 || type == 8 || (type >= 13 && type <= 18);
    w->packet->icmp_type = w->at[0];
    w->packet->icmp_code = w->at[1];
    if (w->wire > 8) w->packet->payload = (uint32_t)(w->wire - 8);
    if (echo && pktseqi_walk_has(w, 6)) w->packet->icmp_id = (uint16_t)pktseqi_be16(w->at + 4);
}

// Takes the step of IP's protocol number (iana.org/assignments/protocol-numbers). The packet's
// transport is the last number that was reached.
static void pktseqi_walk_protocol(pktseqi_walk *w) {
    static const pktseqi_route protocols[] = {
        {6, 0, pktseqi_walk_tcp},         {17, 0, pktseqi_walk_udp},
        {1, 0, pktseqi_walk_icmp},        {58, 0, pktseqi_walk_icmp},
        {0, 0, pktseqi_walk_extension},   {43, 0, pktseqi_walk_extension},  // hop by hop, routing
        {60, 0, pktseqi_walk_extension},  {51, 0, pktseqi_walk_extension},  // destination, AH
        {44, 0, pktseqi_walk_fragment},   {136, 0, pktseqi_walk_udp},       // UDP-Lite
        {33, 0, pktseqi_walk_sctp},       {132, 0, pktseqi_walk_sctp},      // DCCP, SCTP
        {4, 0, pktseqi_walk_ip},          {41, 0, pktseqi_walk_ipv6},
        {47, 0, pktseqi_walk_gre},        {137, 0, pktseqi_walk_mpls},
        {97, 2 + PKTSEQI_ETHERNET, pktseqi_walk_tag},   // EtherIP, RFC 3378
        {143, PKTSEQI_ETHERNET, pktseqi_walk_tag}};     // Ethernet, RFC 8986
    pktseqi_walk_by(w, PKTSEQI_ROWS(protocols), w->type);
}

// ---- the whole frame

// Link types (tcpdump.org/linktypes.html) and the first step of each: Ethernet, null and loop,
// Linux cooked, raw IP (its number depends on the system), PPP of four kinds, Cisco HDLC, frame
// relay, MPLS.
static const pktseqi_route pktseqi_links[] = {
    {1, PKTSEQI_ETHERNET, pktseqi_walk_tag},
    {0, 0, pktseqi_walk_null},     {108, 0, pktseqi_walk_null},
    {113, 0, pktseqi_walk_cooked}, {276, 0, pktseqi_walk_cooked},
    {101, 0, pktseqi_walk_ip},     {12, 0, pktseqi_walk_ip},
    {14, 0, pktseqi_walk_ip},      {228, 0, pktseqi_walk_ip},
    {229, 0, pktseqi_walk_ipv6},   {9, 0, pktseqi_walk_ppp},
    {50, 0, pktseqi_walk_ppp},     {204, 1, pktseqi_walk_ppp},
    {51, 6, pktseqi_walk_pppoe},   {104, 4, pktseqi_walk_hdlc},
    {107, 0, pktseqi_walk_relay},  {219, 0, pktseqi_walk_mpls}};

PKTSEQ_DEF pktseq_status pktseq_packet_decode(pktseq_packet *packet, const void *frame,
                                              size_t captured, size_t length, uint32_t link_type,
                                              double time) {
    pktseqi_walk walk;
    if (!packet || (!frame && captured)) return PKTSEQ_ERROR_ARGUMENT;
    memset(packet, 0, sizeof *packet);
    packet->time = time;
    packet->length = (double)length;
    packet->protocol = "other";
    memset(&walk, 0, sizeof walk);
    walk.at = (const unsigned char *)frame;
    walk.size = captured;
    walk.wire = length > captured ? length : captured;
    walk.type = link_type;
    walk.other = "other";
    walk.packet = packet;
    if (!pktseqi_walk_by(&walk, PKTSEQI_ROWS(pktseqi_links), link_type))
        return PKTSEQ_ERROR_MISMATCH;
    if (link_type == 204 && length) packet->length -= 1;  // its direction was not on the wire
    for (int layers = 0; walk.next && layers < PKTSEQI_MAX_LAYERS; ++layers) {
        void (*step)(pktseqi_walk *) = walk.next;
        walk.next = NULL;  // the walk ends, unless the step sets another
        step(&walk);
    }
    if (!walk.found) packet->protocol = walk.other;
    else pktseqi_packet_name(packet);
    return walk.found ? PKTSEQ_OK : PKTSEQ_NOT_IP;
}

// ---- >>capture: pcap and pcapng ---------------------------------------------------------------
//
// In: a stream of bytes; out: IP packets and counts. pcap
// (ietf.org/archive/id/draft-ietf-opsawg-pcap) is a header and records; pcapng
// (draft-ietf-opsawg-pcapng) is blocks, some of them with a frame, some that describe interfaces:
//
//     capture_open       tells the two apart, reads pcap's header
//     capture_next       until a frame has an IP packet:
//       capture_advance    the next frame into the window: capture_pcap, or capture_block, which
//                          also reads the blocks between frames (sections, capture_describe)
//       capture_decode     its time, its packet, and the counts
//
// The window always holds the current frame whole. No size that a file claims is allocated, but for
// 32 bytes an interface that it describes in at least 20. A record is read within the window only:
// capture_need first makes sure of its bytes, and returns PKTSEQ_END if the stream ends sooner.

// The largest frame is that of libpcap (MAXIMUM_SNAPLEN) and Wireshark. A window of twice as much
// holds it whole and rarely moves its rest.
enum { PKTSEQI_MAX_FRAME = 262144, PKTSEQI_CAPTURE_WINDOW = 2 * PKTSEQI_MAX_FRAME };

// An interface of a pcapng section; a pcap file has one. Each has its own link type, snap length
// and clock. Packets refer to it by its number in the section.
typedef struct pktseqi_interface {
    uint64_t per_second;  // units of time
    int64_t offset;       // seconds
    uint32_t link_type, snap;
} pktseqi_interface;

// What the reader of a capture keeps between packets.
typedef struct pktseqi_capturing {
    pktseq_read_fn read_fn;
    void *user_data;
    size_t at, size;           // of the window: parsed up to, filled up to
    size_t rest;               // bytes of the last record after its frame
    uint64_t bytes;            // in all records so far
    int ended, big_endian;
    size_t record_header;      // bytes before each frame of pcap; 0 of pcapng
    pktseqi_interface *interfaces;
    size_t interface_count, interface_capacity;
    double time;               // of the last frame
    unsigned char window[PKTSEQI_CAPTURE_WINDOW];  // of the stream
} pktseqi_capturing;

// The header of a record, of either format:
//
//     | header ............ | frame ......... | padding, options, length again |
//     | <------------------------ block -------------------------------------> |
typedef struct pktseqi_record {
    size_t header;        // bytes before the frame
    size_t block;         // bytes of header, frame and the rest
    uint32_t captured, length, interface_id;
    int timed;            // it has a time: seconds + units / the interface's per_second
    uint64_t seconds, units;
} pktseqi_record;

// Computes offset + units / per_second (at most 2^63) as the nearest double, halves to even. It
// uses integers: a quotient of doubles would be rounded twice, and two programs that read the same
// file would disagree in the last bit. Each division yields as many of the 53 bits as fit into 64
// with the remainder: 22 for today's seconds and any unit down to picoseconds, so two divisions.
static double pktseqi_time(int64_t offset, uint64_t units, uint64_t per_second) {
    const uint64_t one = 1, most = one << 62;
    uint64_t rest, whole, m;
    int64_t seconds;
    int negative, scale = 0;
#ifdef PKTSEQI_DOUBLES
    // Microseconds until 2106 are whole numbers below 2^53: their quotient is rounded once.
    if (per_second <= 1000000 && (uint64_t)offset < one << 32 && units < one << 52)
        return (double)(int64_t)((uint64_t)offset * per_second + units) /
               (double)(int64_t)per_second;
#endif
    rest = units % per_second;
    whole = units / per_second;
    seconds = offset + (int64_t)(whole < most ? whole : most);
    negative = seconds < 0;
    if (negative && rest) {  // -3 + 0.25 is -(2 + 0.75)
        ++seconds;
        rest = per_second - rest;
    }
    m = (uint64_t)(negative ? -seconds : seconds);
    while (rest && m < one << 52) {
        int bits = m < one << 31 && per_second < one << 41 ? 22 : 1;
        while (bits < 52 && m < one << (52 - bits) && per_second < one << (63 - bits)) ++bits;
        m = m << bits | (rest << bits) / per_second;
        rest = (rest << bits) % per_second;
        scale += bits;
    }
    if (rest > per_second - rest || (rest && rest == per_second - rest && m & 1)) ++m;
    return ldexp(negative ? -(double)(int64_t)m : (double)(int64_t)m, -scale);
}

// Return a number in the byte order of the file, known by pcap's magic number, or of the section,
// known by pcapng's, so that files of several machines may be concatenated.
static uint32_t pktseqi_capture_u32(const pktseq_capture *c, const unsigned char *p) {
    return c->state->big_endian ? pktseqi_be32(p) : pktseqi_le32(p);
}
static unsigned pktseqi_capture_u16(const pktseq_capture *c, const unsigned char *p) {
    return c->state->big_endian ? pktseqi_be16(p) : (unsigned)p[1] << 8 | p[0];
}

// Returns where the window is parsed up to.
static const unsigned char *pktseqi_capture_at(const pktseq_capture *c) {
    return c->state->window + c->state->at;
}

// Reads until (bytes), at most the window's, are available from capture_at on. Returns PKTSEQ_END,
// here and below, if the stream ends before. The rest of the window moves to its beginning; each
// read may fill all of it, but a source that returns less (a pipe, a live capture) is read no more
// often than needed.
static pktseq_status pktseqi_capture_need(pktseq_capture *c, size_t bytes, pktseq_error *err) {
    pktseqi_capturing *s = c->state;
    int failed = 0;
    if (s->size - s->at >= bytes) return PKTSEQ_OK;
    memmove(s->window, s->window + s->at, s->size - s->at);
    s->size -= s->at;
    s->at = 0;
    while (s->size < bytes && !s->ended) {
        size_t room = PKTSEQI_CAPTURE_WINDOW - s->size;
        size_t got = s->read_fn(s->user_data, s->window + s->size, room, &failed);
        if (failed || got > room)
            return pktseqi_error(err, PKTSEQ_ERROR_FILE, 0, "reading failed");
        if (got == 0) s->ended = 1;
        s->size += got;
    }
    return s->size >= bytes ? PKTSEQ_OK : PKTSEQ_END;
}

// Skips (bytes), also more than the window has: a block of 4 GB is read through it, since a pipe
// cannot seek.
static pktseq_status pktseqi_capture_skip(pktseq_capture *c, size_t bytes, pktseq_error *err) {
    pktseqi_capturing *s = c->state;
    pktseq_status status = PKTSEQ_OK;
    while (!status && bytes > s->size - s->at) {
        bytes -= s->size - s->at;
        s->at = s->size;
        status = pktseqi_capture_need(c, 1, err);
    }
    if (!status) s->at += bytes;
    if (status == PKTSEQ_END) c->counts.incomplete = 1;
    return status;
}

// Fails because frame number `frames` + 1 breaks a rule of the format. Reading cannot resume: only
// the damaged record tells where the next one begins.
static pktseq_status pktseqi_capture_damaged(const pktseq_capture *c, const char *what,
                                             pktseq_error *err) {
    return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "after %z frame%S, found %s: the capture is "
                         "damaged there", (size_t)c->counts.frames, what);
}

// Fails because of an unknown link type. A pcap file fails at once; in pcapng other interfaces may
// be known, so it fails at the end, if no frame had a known one.
static pktseq_status pktseqi_capture_unknown(uint32_t link_type, pktseq_error *err) {
    return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "found a capture of link type %z, expected "
                         "Ethernet, raw IP, null or loop, Linux cooked, PPP, Cisco HDLC, frame "
                         "relay or MPLS; have tshark make a CSV of it", (size_t)link_type);
}

// Adds an interface, whose times are microseconds by default. Returns NULL if there is no memory.
static pktseqi_interface *pktseqi_capture_interface(pktseq_capture *c, uint32_t link_type) {
    pktseqi_capturing *s = c->state;
    pktseqi_interface *added;
    if (s->interface_count == s->interface_capacity &&
        !pktseqi_grow(&c->allocator, &s->interfaces, &s->interface_capacity, s->interface_count, 4,
                      sizeof *s->interfaces))
        return NULL;
    added = &s->interfaces[s->interface_count++];
    memset(added, 0, sizeof *added);
    added->per_second = 1000000;
    added->link_type = link_type;
    return added;
}

// Counts a frame without an IP packet by its name; the last of 16 entries counts all the rest.
// Names are constants of the program, but equal ones may have several addresses.
static void pktseqi_capture_other(pktseq_capture_counts *counts, const char *name) {
    const size_t last = PKTSEQI_LENGTH(counts->other) - 1;
    size_t i = 0;
    while (i < last && counts->other[i].name && strcmp(counts->other[i].name, name) != 0) ++i;
    if (!counts->other[i].name) counts->other[i].name = i < last ? name : "other";
    ++counts->other[i].frames;
}

// ---- pcapng

// Returns the units a second of if_tsresol: 10^-n seconds each, or, with the highest bit, 2^-n.
// Returns 0 if they are too small for 64 bits, 10^19 or 2^64 a second. Usual captures have 6 or 9.
static uint64_t pktseqi_capture_resolution(unsigned value) {
    unsigned n = value & 127;
    uint64_t per_second = 1;
    if (value & 128) return n < 64 ? (uint64_t)1 << n : 0;
    if (n > 18) return 0;
    while (n-- > 0) per_second *= 10;
    return per_second;
}

// Reads an interface description block of `bytes` (pcapng 4.2): 8 link type, 12 snap length, 16
// options: 0 code, 2 length, 4 value, of which if_tsresol (9) and if_tsoffset (14) give unit and
// offset of times; then 4 bytes that end the block. Options after the first 256 kB are ignored: no
// program writes so many. Offsets above 2^53 seconds are refused, since no double holds the sum.
static pktseq_status pktseqi_capture_describe(pktseq_capture *c, size_t bytes, pktseq_error *err) {
    const int64_t limit = (int64_t)1 << 53;
    size_t look = bytes < PKTSEQI_MAX_FRAME ? bytes : (size_t)PKTSEQI_MAX_FRAME, past = 16;
    const unsigned char *p;
    pktseqi_interface *added;
    pktseq_status status = bytes < 20 ? pktseqi_capture_damaged(c, "a short interface block", err)
                                      : pktseqi_capture_need(c, look, err);
    if (status) return status;
    p = pktseqi_capture_at(c);
    added = pktseqi_capture_interface(c, pktseqi_capture_u16(c, p + 8));
    if (!added) return pktseqi_no_memory(err);
    added->snap = pktseqi_capture_u32(c, p + 12);
    while (past + 4 <= look - 4) {
        const unsigned char *option = p + past, *value = option + 4;
        unsigned code = pktseqi_capture_u16(c, option), size = pktseqi_capture_u16(c, option + 2);
        past += 4 + ((size_t)size + 3) / 4 * 4;
        if (code == 0 || past > look - 4) break;
        if (code == 9 && size == 1) added->per_second = pktseqi_capture_resolution(*value);
        if (code == 14 && size == 8) {
            uint32_t low = pktseqi_capture_u32(c, value + (c->state->big_endian ? 4 : 0));
            uint32_t high = pktseqi_capture_u32(c, value + (c->state->big_endian ? 0 : 4));
            added->offset = (int64_t)((uint64_t)high << 32 | low);
        }
        if (added->per_second == 0 || added->offset > limit || added->offset < -limit)
            return pktseqi_capture_damaged(c, "an unlikely unit or offset of time", err);
    }
    return pktseqi_capture_skip(c, bytes, err);
}

// Reads a section header (pcapng 4.1): 8 the magic number, which tells its byte order, 12 the
// version, of which only the major number matters. A section begins without interfaces.
//
//   0 0a0d0d0a, the same in both orders | 4 length | 8 magic | 12 version | 16 length of section
static pktseq_status pktseqi_capture_section(pktseq_capture *c, pktseq_error *err) {
    pktseq_status status = pktseqi_capture_need(c, 14, err);
    if (status) return status;
    c->state->big_endian = pktseqi_be32(pktseqi_capture_at(c) + 8) == 0x1a2b3c4d;
    c->state->interface_count = 0;
    if (pktseqi_capture_u32(c, pktseqi_capture_at(c) + 8) != 0x1a2b3c4d)
        return pktseqi_capture_damaged(c, "a section without a byte order", err);
    return pktseqi_capture_u16(c, pktseqi_capture_at(c) + 12) == 1
               ? PKTSEQ_OK
               : pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "found pcapng version %z, expected 1",
                               (size_t)pktseqi_capture_u16(c, pktseqi_capture_at(c) + 12));
}

// Reads the header of a block with a frame, of one of three types (pcapng 4.3, 4.4, and the
// obsolete one). After type and length they have:
//   6 enhanced   8 interface (4), 12 time, high 4 and low 4, 20 captured, 24 length, 28 frame
//   2 old        8 interface (2), 10 drops (2), and the same
//   3 simple     8 length, 12 frame, of which the snap length of the first interface is captured
static pktseq_status pktseqi_capture_frame(pktseq_capture *c, uint32_t type,
                                           pktseqi_record *record, pktseq_error *err) {
    const unsigned char *p;
    pktseq_status status;
    uint32_t snap;
    size_t room;
    record->timed = type != 3;
    record->header = record->timed ? 28 : 12;
    if (record->block < record->header + 4)
        return pktseqi_capture_damaged(c, "a packet block too short for its own header", err);
    room = record->block - record->header - 4;
    status = pktseqi_capture_need(c, record->header, err);
    if (status) return status;
    p = pktseqi_capture_at(c);
    record->length = pktseqi_capture_u32(c, p + (record->timed ? 24 : 8));
    if (record->timed) {
        record->interface_id = type == 2 ? pktseqi_capture_u16(c, p + 8)
                                         : pktseqi_capture_u32(c, p + 8);
        record->units = (uint64_t)pktseqi_capture_u32(c, p + 12) << 32 |
                        pktseqi_capture_u32(c, p + 16);
        record->captured = pktseqi_capture_u32(c, p + 20);
    } else {
        record->captured = record->length < room ? record->length : (uint32_t)room;
    }
    if (record->interface_id >= c->state->interface_count)
        return pktseqi_capture_damaged(c, "a packet of an interface that is not described", err);
    snap = type == 3 ? c->state->interfaces[0].snap : 0;
    if (snap && record->captured > snap) record->captured = snap;
    if (record->captured > room)
        return pktseqi_capture_damaged(c, "a packet longer than its block", err);
    return PKTSEQ_OK;
}

// Advances to the next block of pcapng that has a frame, and reads its header: 0 type, 4 length,
// which some writers do not round up to whole words. A block has at least 12 bytes, so the loop
// ends with the stream. Names, statistics and secrets (types 4, 5, 10) are skipped.
static pktseq_status pktseqi_capture_block(pktseq_capture *c, pktseqi_record *record,
                                           pktseq_error *err) {
    // Wireshark numbers these as frames: custom blocks, systemd's journal, system calls.
    static const uint32_t counted[] = {0x00000bad, 0x40000bad, 9, 0x204, 0x216, 0x221};
    for (;;) {
        uint32_t type;
        pktseq_status status = pktseqi_capture_need(c, 8, err);
        if (status) return status;
        type = pktseqi_capture_u32(c, pktseqi_capture_at(c));
        if (type == 0x0a0d0d0a) status = pktseqi_capture_section(c, err);
        if (status) return status;
        record->block = pktseqi_capture_u32(c, pktseqi_capture_at(c) + 4);
        record->block = pktseqi_plus(record->block, 3) / 4 * 4;
        if (record->block < 12) return pktseqi_capture_damaged(c, "a block shorter than any", err);
        if (type == 6 || type == 3 || type == 2)
            return pktseqi_capture_frame(c, type, record, err);
        status = type == 1 ? pktseqi_capture_describe(c, record->block, err)
                           : pktseqi_capture_skip(c, record->block, err);
        if (status) return status;
        for (size_t i = 0; i < PKTSEQI_LENGTH(counted); ++i)
            if (type == counted[i]) {
                ++c->counts.frames;
                pktseqi_capture_other(&c->counts, "other");
            }
    }
}

// ---- pcap

// Reads the header of the next record of pcap: 0 seconds, 4 units, 8 captured, 12 length. Units of
// a second and more, as broken clocks write them, are added all the same. Seconds are unsigned:
// such captures end in 2106.
static pktseq_status pktseqi_capture_pcap(pktseq_capture *c, pktseqi_record *record,
                                          pktseq_error *err) {
    pktseq_status status = pktseqi_capture_need(c, c->state->record_header, err);
    const unsigned char *p = pktseqi_capture_at(c);
    if (status) return status;
    record->header = c->state->record_header;
    record->timed = 1;
    record->seconds = pktseqi_capture_u32(c, p);
    record->units = pktseqi_capture_u32(c, p + 4);
    record->captured = pktseqi_capture_u32(c, p + 8);
    record->length = pktseqi_capture_u32(c, p + 12);
    record->block = record->header + record->captured;
    return PKTSEQ_OK;
}

// Magic numbers of captures: of pcap with microseconds, with nanoseconds, and with the longer
// records (24 bytes) of a modified libpcap; of pcapng, which is the same in both byte orders.
static const uint32_t pktseqi_capture_magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34, 0x0a0d0d0a};

PKTSEQ_DEF int pktseq_capture_magic(const void *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; data && size >= 4 && i < PKTSEQI_LENGTH(pktseqi_capture_magics); ++i)
        if (pktseqi_be32(p) == pktseqi_capture_magics[i] ||
            pktseqi_le32(p) == pktseqi_capture_magics[i])
            return 1;
    return 0;
}

// Reads the header of a pcap file: 0 magic, 4 version, 20 link type, which becomes that of its one
// interface. The upper bits of the link type describe checksums. An empty frame is decoded to find
// out whether the link type is known. The snap length is not needed: each record has its own.
//
//   0 magic | 4 version 2, 4 | 8 zone | 12 accuracy | 16 snap length | 20 link type | 24 records
static pktseq_status pktseqi_capture_header(pktseq_capture *c, pktseq_error *err) {
    const unsigned char *p;
    uint32_t magic, link_type;
    pktseqi_interface *only;
    pktseq_packet none;
    pktseq_status status = pktseqi_capture_need(c, 24, err);
    if (status == PKTSEQ_END)
        return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "found a pcap file of %z byte%S, expected "
                             "a header of 24", c->state->size - c->state->at);
    if (status) return status;
    p = pktseqi_capture_at(c);
    c->state->big_endian = p[0] == 0xa1;
    magic = pktseqi_capture_u32(c, p);
    if (pktseqi_capture_u16(c, p + 4) != 2)
        return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "found pcap version %z, expected 2",
                             (size_t)pktseqi_capture_u16(c, p + 4));
    link_type = pktseqi_capture_u32(c, p + 20) & 0x03ffffff;
    only = pktseqi_capture_interface(c, link_type);
    if (!only) return pktseqi_no_memory(err);
    if (magic == 0xa1b23c4d) only->per_second = 1000000000;
    c->state->record_header = magic == 0xa1b2cd34 ? 24 : 16;
    c->state->at += 24;
    return pktseq_packet_decode(&none, p, 0, 0, link_type, 0) == PKTSEQ_ERROR_MISMATCH
               ? pktseqi_capture_unknown(link_type, err) : PKTSEQ_OK;
}

// Finds out the format by the first bytes; a pcapng's first section is read like any other. The
// error for another format names it where its first bytes tell.
static pktseq_status pktseqi_capture_open(pktseq_capture *c, pktseq_error *err) {
    const pktseqi_capturing *s = c->state;
    pktseq_status status = pktseqi_capture_need(c, 12, err);
    const char *what;
    if (status && status != PKTSEQ_END) return status;
    if (pktseq_capture_magic(s->window, s->size))
        return s->window[0] == 0x0a ? PKTSEQ_OK : pktseqi_capture_header(c, err);
    what = pktseqi_sniff(s->window, s->size);
    if (what) return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "found %s", what);
    return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "found %s, expected a pcap or pcapng capture",
                         s->size ? "something else" : "nothing");
}

// ---- frame by frame

// Advances to the next frame, which is then whole in the window until the next call. The bytes of a
// record after its frame are skipped only by that call, so as not to wait for a live source.
static pktseq_status pktseqi_capture_advance(pktseq_capture *c, pktseqi_record *record,
                                             pktseq_error *err) {
    pktseqi_capturing *s = c->state;
    size_t rest = s->rest;
    pktseq_status status;
    memset(record, 0, sizeof *record);
    s->rest = c->captured = 0;
    status = rest ? pktseqi_capture_skip(c, rest, err) : PKTSEQ_OK;
    if (!status) status = s->record_header ? pktseqi_capture_pcap(c, record, err)
                                           : pktseqi_capture_block(c, record, err);
    // The window would hold a larger frame only in part.
    if (!status && record->captured > PKTSEQI_MAX_FRAME)
        return pktseqi_capture_damaged(c, "a frame of more than 262144 bytes", err);
    if (!status) status = pktseqi_capture_need(c, record->header + record->captured, err);
    // A stream that ends between records is complete, one that ends within a record is not.
    if (status == PKTSEQ_END && s->size > s->at) c->counts.incomplete = 1;
    if (status) return status;
    c->frame = pktseqi_capture_at(c) + record->header;
    c->captured = record->captured;
    s->at += record->header + record->captured;
    s->rest = record->block - record->header - record->captured;
    s->bytes += record->block;
    ++c->counts.frames;
    return PKTSEQ_OK;
}

// Decodes and counts the current frame. Returns 1 if it has an IP packet. One without a time has
// that of the previous frame. The interface exists: pcap has added its one, and a block of pcapng
// that refers to another was refused.
static int pktseqi_capture_decode(pktseq_capture *c, const pktseqi_record *record,
                                  pktseq_packet *packet) {
    const pktseqi_interface *from = &c->state->interfaces[record->interface_id];
    pktseq_capture_counts *counts = &c->counts;
    pktseq_status status;
    if (record->timed)
        c->state->time = pktseqi_time(from->offset + (int64_t)record->seconds, record->units,
                                      from->per_second);
    c->link_type = from->link_type;
    status = pktseq_packet_decode(packet, c->frame, c->captured, record->length, c->link_type,
                                  c->state->time);
    if (status == PKTSEQ_NOT_IP) pktseqi_capture_other(counts, packet->protocol);
    counts->unknown += status == PKTSEQ_ERROR_MISMATCH;
    counts->cut_off += (packet->notes & PKTSEQ_NOTE_CUT_OFF) != 0;
    if (status != PKTSEQ_OK) return 0;
    ++counts->packets;
    // Most packets have no other note.
    if (!(packet->notes & ~(unsigned)PKTSEQ_NOTE_BY_PORT)) return 1;
    counts->fragments += (packet->notes & PKTSEQ_NOTE_FRAGMENT) != 0;
    counts->no_ports += (packet->notes & PKTSEQ_NOTE_NO_PORTS) != 0;
    counts->tunnels += (packet->notes & PKTSEQ_NOTE_TUNNEL) != 0;
    return 1;
}

PKTSEQ_DEF pktseq_status pktseq_capture_next(pktseq_capture *capture, pktseq_packet *packet,
                                             pktseq_error *err) {
    pktseqi_record record;
    pktseq_status status;
    if (!capture || !packet || !capture->state)
        return pktseqi_bad_argument(err, "capture or packet is NULL, or the capture is not open");
    do {
        status = pktseqi_capture_advance(capture, &record, err);
        // Every frame was of an unknown link type: there may be packets that cannot be seen.
        if (status == PKTSEQ_END && capture->counts.unknown &&
            capture->counts.unknown == capture->counts.frames)
            return pktseqi_capture_unknown(capture->link_type, err);
        if (status == PKTSEQ_END) return pktseqi_error(err, PKTSEQ_END, 0, "%s", "");
        if (status) return status;
    } while (!pktseqi_capture_decode(capture, &record, packet));
    return pktseqi_ok(err);
}

PKTSEQ_DEF pktseq_status pktseq_capture_init(pktseq_capture *capture, pktseq_read_fn read_fn,
                                             void *user_data, const pktseq_allocator *allocator,
                                             pktseq_error *err) {
    pktseq_status status;
    if (!capture) return pktseqi_bad_argument(err, "capture is NULL");
    memset(capture, 0, sizeof *capture);
    if (!read_fn) return pktseqi_bad_argument(err, "read_fn is NULL");
    capture->allocator = pktseqi_allocator(allocator);
    capture->state = (pktseqi_capturing *)pktseqi_alloc(&capture->allocator, 1,
                                                        sizeof *capture->state);
    if (!capture->state) return pktseqi_no_memory(err);
    // All but the window: pages of it that a short file does not reach are never touched.
    memset(capture->state, 0, offsetof(pktseqi_capturing, window));
    capture->state->read_fn = read_fn;
    capture->state->user_data = user_data;
    status = pktseqi_capture_open(capture, err);
    if (status == PKTSEQ_OK) return pktseqi_ok(err);
    pktseq_capture_free(capture);
    return status;
}

PKTSEQ_DEF void pktseq_capture_free(pktseq_capture *capture) {
    if (!capture || !capture->state) return;
    pktseqi_free(&capture->allocator, capture->state->interfaces);
    pktseqi_free(&capture->allocator, capture->state);
    capture->state = NULL;
    capture->frame = NULL;
}

// ---- >>schema: kinds of fields, the registry of columns, default schemas, checks --------------
//
// What is known before a file is read. In: a caller's or checkpoint's schema; out: a schema whose
// names, kinds, roles, categories and rule are valid (schema_check, and for reading
// schema_check_reading, rule_check).
//
// Two tables hold what differs between kinds of fields (PKTSEQI_KINDS) and between columns
// (PKTSEQI_COLUMN_LIST). Reading, codec, watcher and checkpoint look there. A packet's cell becomes
// numbers in this order:
//
//   minus    the cell's number, minus that of an earlier packet of its sequence
//   log      its logarithm
//   scaled   (number - mean) / standard deviation, both learned; or
//   group    the index of a class, which has one feature for each of its classes: 1 or 0
//
// A new kind that is made of these steps is a value of pktseq_kind, a line of PKTSEQI_KINDS, and
// the last kind's name in pktseqi_every_kind_has_a_row. Another step goes into pktseqi_field_value,
// its inverse into pktseqi_field_unscale; another packet to subtract into pktseqi_field_numbers
// and, for live use, pktseqi_watch_encode. Classes other than those of ports go into
// pktseqi_field_width and pktseqi_field_class. Rounding of flags tests for PKTSEQ_FLAG by name.
// A new column is a line of PKTSEQI_COLUMN_LIST; a capture has it if it is a member of a packet.

// What the cells of a column must be. Of two fields of one column the later kind counts, as the
// stricter.
typedef enum pktseqi_value_kind {
    PKTSEQI_VALUE_NUMBER, PKTSEQI_VALUE_TEXT, PKTSEQI_VALUE_FLAG, PKTSEQI_VALUE_PORT,
    PKTSEQI_VALUE_POSITION
} pktseqi_value_kind;

// The same in words, and the largest number where numbers must be whole and not negative, else 0.
// 2^53 - 1 is the last whole number up to which doubles have all.
static const struct {
    double max;
    const char *expected;
} pktseqi_value_kinds[] = {
    {0, "a finite number"}, {0, "UTF-8 text"}, {1, "0, 1, Set or Not set"},
    {65535, "a port, a whole number from 0 to 65535"},
    {9007199254740991.0, "a whole number from 0"}};

// The packet of a sequence whose number is subtracted; of the first packet that is its own.
typedef enum pktseqi_minus {
    PKTSEQI_MINUS_NONE, PKTSEQI_MINUS_PREVIOUS, PKTSEQI_MINUS_FIRST
} pktseqi_minus;

typedef struct pktseqi_kind {
    pktseqi_value_kind value;
    pktseqi_minus minus;
    double log;              // v becomes log(1 + log * v), or 0 if it is not positive; 0: no change
    int scaled;
    pktseq_group_kind group;
} pktseqi_kind;

// In the order of pktseq_kind: the name in checkpoints, which cannot change, since files must stay
// readable; then the members above. Seconds are scaled to microseconds, the resolution of most
// captures, before the logarithm.
#define PKTSEQI_KINDS(X) \
    X("zscore",             NUMBER, NONE,     0,   1, NUMBER) \
    X("since-previous",     NUMBER, PREVIOUS, 0,   1, NUMBER) \
    X("since-first",        NUMBER, FIRST,    0,   1, NUMBER) \
    X("number",             NUMBER, NONE,     0,   0, NUMBER) \
    X("flag",               FLAG,   NONE,     0,   0, FLAG) \
    X("onehot",             TEXT,   NONE,     0,   0, CLASS) \
    X("port",               PORT,   NONE,     0,   0, CLASS) \
    X("port-reference",     PORT,   NONE,     0,   0, CLASS) \
    X("log",                NUMBER, NONE,     1,   1, NUMBER) \
    X("log-since-previous", NUMBER, PREVIOUS, 1e6, 1, NUMBER)

#define PKTSEQI_KIND_ROW(name, value, minus, log, scaled, group) \
    {PKTSEQI_VALUE_##value, PKTSEQI_MINUS_##minus, log, scaled, PKTSEQ_GROUP_##group},
static const pktseqi_kind pktseqi_kinds[] = {PKTSEQI_KINDS(PKTSEQI_KIND_ROW)};
// An array of negative size, hence a compile error, if a kind has no row.
typedef char pktseqi_every_kind_has_a_row[
    PKTSEQI_LENGTH(pktseqi_kinds) == (size_t)PKTSEQ_LOG_SINCE_PREVIOUS + 1 ? 1 : -1];

#define PKTSEQI_KIND_NAME(name, value, minus, log, scaled, group) name,
static const char *const pktseqi_kind_name[] = {PKTSEQI_KINDS(PKTSEQI_KIND_NAME) NULL};

// Returns the properties of a field's kind, which has been checked.
static const pktseqi_kind *pktseqi_kind_of(const pktseq_field *field) {
    return &pktseqi_kinds[field->kind];
}

// Returns 1 for a field of texts, which become categories.
static int pktseqi_field_texts(const pktseq_field *field) {
    return pktseqi_kind_of(field)->value == PKTSEQI_VALUE_TEXT;
}

// Returns 1 for a field whose features are one of several classes.
static int pktseqi_field_is_class(const pktseq_field *field) {
    return pktseqi_kind_of(field)->group == PKTSEQ_GROUP_CLASS;
}

PKTSEQI_COLD

// Sets of columns, as bits of the first 32, which include all that packets are made of.
#define PKTSEQI_BIT(column) ((uint32_t)1 << PKTSEQI_COL_##column)
#define PKTSEQI_FLAG_BITS 0x3ffu  // the ten flags come first
#define PKTSEQI_ENDS_BITS (PKTSEQI_BIT(SRC_IP) | PKTSEQI_BIT(DST_IP) | PKTSEQI_BIT(SRC_PORT) | \
    PKTSEQI_BIT(DST_PORT))
#define PKTSEQI_SOURCE_BITS (PKTSEQI_ENDS_BITS | PKTSEQI_BIT(TIMESTAMP))
#define PKTSEQI_CONNECTION_BITS (PKTSEQI_SOURCE_BITS | PKTSEQI_BIT(ACK) | PKTSEQI_BIT(RESET) | \
    PKTSEQI_BIT(SYN) | PKTSEQI_BIT(FIN))
#define PKTSEQI_PAIR_BITS (PKTSEQI_CONNECTION_BITS | PKTSEQI_BIT(LENGTH) | PKTSEQI_BIT(PUSH))
#define PKTSEQI_TOKEN_BITS (PKTSEQI_PAIR_BITS | PKTSEQI_BIT(PROTOCOL) | PKTSEQI_FLAG_BITS)
// What distinguishes the connections of packets other than TCP's; these may be missing.
#define PKTSEQI_APART_BITS (PKTSEQI_BIT(TRANSPORT) | PKTSEQI_BIT(ICMP_TYPE) | \
    PKTSEQI_BIT(ICMP_CODE) | PKTSEQI_BIT(ICMP_ID))

// What columns are, beside numbers or texts.
enum {
    PKTSEQI_IS_OTHER = 0,
    PKTSEQI_IS_ADDRESS = 1,
    PKTSEQI_IS_ICMP = 2,       // a member of ICMP's header
    PKTSEQI_IS_PAIR = 4,       // a counter of the tracker, of a pair of addresses
    PKTSEQI_IS_SOURCE = 8,     // a counter of the tracker, of a source
    PKTSEQI_IS_FRACTION = 16,  // its numbers are not whole, or may be 2^32 and more
    PKTSEQI_IS_MEAN = PKTSEQI_IS_PAIR | PKTSEQI_IS_FRACTION
};

// The member of a packet, or of what the tracker derives, that holds a column's numbers.
#define PKTSEQI_PACKET(member) PKTSEQI_AT(pktseq_packet, member)
#define PKTSEQI_TRACKED(member) PKTSEQI_AT(pktseq_tracked, member)
#define PKTSEQI_NONE 0, 0

// The registry of columns: all that depends on a column's name is looked up here. X(index, name,
// values, what it is, member that holds it, bits of a flag in tcp.flags, columns that it is derived
// from, aliases). The flags come first, in the order of their bits in pktseq_packet; then what else
// a capture has of each packet, up to NOTES; derived columns last, the counters among them in the
// order of pktseq_tracked. Aliases are the names in other programs' files (Wireshark's packet list,
// tshark -T fields). '|' stands between names of one rank; names after a slash count only if none
// before it occurs; those after a plus also fill, in a capture, empty cells of the ones before.
#define PKTSEQI_COLUMN_LIST(X) \
    X(FIN, "fin", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x001, 0, "Fin|tcp.flags.fin") \
    X(SYN, "syn", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x002, 0, "Syn|tcp.flags.syn") \
    X(RESET, "reset", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x004, 0, "Reset|tcp.flags.reset") \
    X(PUSH, "push", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x008, 0, "Push|tcp.flags.push") \
    X(ACK, "ack", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x010, 0, \
      "Acknowledgment|tcp.flags.ack/Acknowledgement") \
    X(URG, "urg", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x020, 0, "Urgent|tcp.flags.urg") \
    X(ECN, "ecn", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x040, 0, \
      "ECN-Echo|tcp.flags.ece|tcp.flags.ecn") \
    X(CWR, "cwr", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x080, 0, \
      "Congestion Window Reduced (CWR)|tcp.flags.cwr|Congestion Window Reduced") \
    X(NS, "ns", FLAG, OTHER, PKTSEQI_PACKET(flags), 0x100, 0, \
      "Nonce|tcp.flags.ns|tcp.flags.ae|Accurate ECN") \
    X(RES, "res", FLAG, OTHER, PKTSEQI_PACKET(flags), 0xe00, 0, "Reserved|tcp.flags.res") \
    X(TIMESTAMP, "timestamp", NUMBER, FRACTION, PKTSEQI_PACKET(time), 0, 0, \
      "Time|frame.time_relative|_ws.col.Time|_ws.col.cls_time/_ws.col.rel_time|Relative time|" \
      "Time since reference or first frame/frame.time_epoch|Epoch Time|Epoch Arrival Time/" \
      "frame.time_utc|UTC Arrival Time|UTC Time/frame.time|Arrival Time|Absolute time|" \
      "Absolute date|Date") \
    X(LENGTH, "length", NUMBER, OTHER, PKTSEQI_PACKET(length), 0, 0, \
      "Length|frame.len|_ws.col.Length|_ws.col.packet_length/Frame length on the wire|" \
      "Packet length|Packet length (bytes)|Frame Length") \
    X(SRC_IP, "src_ip", TEXT, ADDRESS, PKTSEQI_NONE, 0, 0, \
      "Source|ip.src|_ws.col.Source|_ws.col.def_src/Source Address|Src addr (unresolved)|" \
      "Net src addr (unresolved)|Network src addr|_ws.col.unres_src|Source IP+ipv6.src") \
    X(DST_IP, "dst_ip", TEXT, ADDRESS, PKTSEQI_NONE, 0, 0, \
      "Destination|ip.dst|_ws.col.Destination|_ws.col.def_dst/Destination Address|" \
      "Dest addr (unresolved)|Net dest addr (unresolved)|Network dest addr|_ws.col.unres_dst|" \
      "Destination IP+ipv6.dst") \
    X(PROTOCOL, "protocol", TEXT, OTHER, PKTSEQI_NONE, 0, 0, \
      "Protocol|_ws.col.Protocol/col.Protocol") \
    X(SRC_PORT, "src_port", PORT, OTHER, PKTSEQI_PACKET(src_port), 0, 0, \
      "Source port|tcp.srcport|Src port (unresolved)|Src port|_ws.col.src_port|" \
      "_ws.col.unres_src_port+udp.srcport+sctp.srcport") \
    X(DST_PORT, "dst_port", PORT, OTHER, PKTSEQI_PACKET(dst_port), 0, 0, \
      "Dest port|tcp.dstport|Destination Port|Dest port (unresolved)|_ws.col.dst_port|" \
      "_ws.col.unres_dst_port+udp.dstport+sctp.dstport") \
    X(NUMBER, "No.", NUMBER, FRACTION, PKTSEQI_NONE, 0, 0, \
      "frame.number/No|Number|Frame Number|_ws.col.No.|_ws.col.number") \
    X(TRANSPORT, "transport", NUMBER, OTHER, PKTSEQI_PACKET(transport), 0, 0, \
      "ip.proto+ipv6.nxt|Next Header") \
    X(ICMP_TYPE, "icmp_type", NUMBER, ICMP, PKTSEQI_PACKET(icmp_type), 0, 0, \
      "icmp.type+icmpv6.type") \
    X(ICMP_CODE, "icmp_code", NUMBER, ICMP, PKTSEQI_PACKET(icmp_code), 0, 0, \
      "icmp.code+icmpv6.code") \
    X(ICMP_ID, "icmp_id", NUMBER, ICMP, PKTSEQI_PACKET(icmp_id), 0, 0, \
      "icmp.ident+icmpv6.echo.identifier") \
    X(PAYLOAD, "payload", TEXT, OTHER, PKTSEQI_PACKET(payload), 0, 0, "") /* CSV: text */ \
    X(NOTES, "notes", TEXT, OTHER, PKTSEQI_PACKET(notes), 0, 0, "") \
    X(POSITION, "position", POSITION, OTHER, PKTSEQI_NONE, 0, 0, "") \
    X(LABEL, "label", TEXT, OTHER, PKTSEQI_NONE, 0, 0, "/class/attack/attack_cat/attack_type") \
    X(WORD, "tcp.flags", TEXT, OTHER, PKTSEQI_NONE, 0, 0, "/tcp.flags.str|TCP Flags/Flags") \
    X(DIRECTION, "direction", NUMBER, OTHER, PKTSEQI_TRACKED(direction), 0, PKTSEQI_BIT(SRC_IP), \
      "") \
    X(SAME, "same_connection", NUMBER, OTHER, PKTSEQI_TRACKED(same_connection), 0, \
      PKTSEQI_ENDS_BITS, "") \
    X(TOKEN, "token", TEXT, OTHER, PKTSEQI_NONE, 0, PKTSEQI_TOKEN_BITS, "") \
    PKTSEQI_COUNTED(X, 0, PAIR, "pair_packets", PAIR, PAIR) \
    PKTSEQI_COUNTED(X, 1, PAIR_SYN, "pair_syn", PAIR, PAIR) \
    PKTSEQI_COUNTED(X, 2, PAIR_RESET, "pair_reset", PAIR, PAIR) \
    PKTSEQI_COUNTED(X, 3, PAIR_FIN, "pair_fin", PAIR, PAIR) \
    PKTSEQI_COUNTED(X, 4, PAIR_PUSH, "pair_push", MEAN, PAIR) \
    PKTSEQI_COUNTED(X, 5, PAIR_LENGTH, "pair_length", MEAN, PAIR) \
    PKTSEQI_COUNTED(X, 6, PAIR_CONNECTIONS, "pair_connections", PAIR, PAIR) \
    PKTSEQI_COUNTED(X, 7, PAIR_SERVICES, "pair_services", PAIR, PAIR) \
    PKTSEQI_COUNTED(X, 8, PAIR_EACH, "pair_per_connection", MEAN, PAIR) \
    PKTSEQI_COUNTED(X, 9, SOURCE, "source_hosts", SOURCE, SOURCE) \
    PKTSEQI_COUNTED(X, 10, SOURCE_SERVICES, "source_services", SOURCE, SOURCE) \
    PKTSEQI_COUNTED(X, 11, SOURCE_EACH, "source_connections", SOURCE, SOURCE)
#define PKTSEQI_COUNTED(X, i, index, name, is, of) \
    X(index, name, NUMBER, is, PKTSEQI_TRACKED(counter[i]), 0, PKTSEQI_##of##_BITS, "")

#define PKTSEQI_COLUMN_INDEX(index, name, values, is, at, bits, made_of, aliases) \
    PKTSEQI_COL_##index,
enum { PKTSEQI_COLUMN_LIST(PKTSEQI_COLUMN_INDEX) PKTSEQI_COLUMNS };
// The same if a counter has no row, or what packets are made of does not fit the 32 bits of a set.
typedef char pktseqi_every_counter_has_a_row[
    PKTSEQI_COLUMNS - PKTSEQI_COL_PAIR == PKTSEQ_COUNTERS && PKTSEQI_COL_DIRECTION < 32 ? 1 : -1];

#define PKTSEQI_COLUMN_ROW(index, name, values, is, at, bits, made_of, aliases) \
    {name, PKTSEQI_VALUE_##values, PKTSEQI_IS_##is, at, bits, made_of, aliases},
// The last row stands for any other column: texts.
static const struct {
    const char *name;
    pktseqi_value_kind kind;
    unsigned is;
    size_t offset, size;  // size is 0 if it is no number of a packet
    unsigned bits;
    uint32_t made_of;
    const char *aliases;
} pktseqi_known[] = {
    PKTSEQI_COLUMN_LIST(PKTSEQI_COLUMN_ROW){"", PKTSEQI_VALUE_TEXT, 0, 0, 0, 0, 0, ""}};

// Returns the index of a known column, PKTSEQI_COLUMNS for any other.
static size_t pktseqi_known_find(const char *name) {
    size_t i = 0;
    while (i < PKTSEQI_COLUMNS && strcmp(pktseqi_known[i].name, name) != 0) ++i;
    return i;
}

// Returns 1 if a column that is made of packets has whole numbers below 2^32. They are staged as
// such, since finding their narrowest type takes no branch.
static int pktseqi_known_whole(size_t known) {
    return !(pktseqi_known[known].is & PKTSEQI_IS_FRACTION);
}

// Returns the bits of the columns without which a rule cannot segment a table.
static uint32_t pktseqi_rule_needs(const pktseq_rule *rule) {
    uint32_t needs = PKTSEQI_BIT(TIMESTAMP) | PKTSEQI_BIT(SRC_IP) | PKTSEQI_BIT(DST_IP);
    if (rule->reference_names) needs |= PKTSEQI_BIT(PROTOCOL);
    if (rule->kind == PKTSEQ_RULE_CONNECTION) needs |= PKTSEQI_CONNECTION_BITS;
    return needs;
}

static const char *const pktseqi_reference_protocol[] = {"TCP",   "TELNET", "SMTP", "HTTP",
                                                        "SSHv1", "IRC",    "POP"};

// The two schemas differ in the protocols (listed or learned) and in what becomes of high ports.
// The order is that of the reference's features, which its weights depend on.
#define PKTSEQI_FIELD(column, kind) {column, kind, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0}
#define PKTSEQI_FIELDS(protocols, protocol_count, port_kind) \
    PKTSEQI_FIELD("timestamp", PKTSEQ_ZSCORE), PKTSEQI_FIELD("length", PKTSEQ_ZSCORE), \
    PKTSEQI_FIELD("res", PKTSEQ_FLAG), PKTSEQI_FIELD("ns", PKTSEQ_FLAG), \
    PKTSEQI_FIELD("cwr", PKTSEQ_FLAG), PKTSEQI_FIELD("ecn", PKTSEQ_FLAG), \
    PKTSEQI_FIELD("urg", PKTSEQ_FLAG), PKTSEQI_FIELD("ack", PKTSEQ_FLAG), \
    PKTSEQI_FIELD("push", PKTSEQ_FLAG), PKTSEQI_FIELD("reset", PKTSEQ_FLAG), \
    PKTSEQI_FIELD("syn", PKTSEQ_FLAG), PKTSEQI_FIELD("fin", PKTSEQ_FLAG), \
    {"protocol", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, protocols, protocol_count, 0}, \
    PKTSEQI_FIELD("src_port", port_kind), PKTSEQI_FIELD("dst_port", port_kind)

static const pktseq_field pktseqi_default_field[] = {PKTSEQI_FIELDS(NULL, 0, PKTSEQ_PORT)};
static const pktseq_field pktseqi_reference_field[] = {
    PKTSEQI_FIELDS(pktseqi_reference_protocol, 7, PKTSEQ_PORT_REFERENCE)};

// The context: counters are logarithms, since they span four powers of ten, with mean 0 and
// deviation 1, so that they mean the same in every model. pair_push is a share from 0 to 1. With
// classes of ports and of length beside the token, and tokens seen twice, a model was a third
// larger and found no more.
#define PKTSEQI_COUNTER(column, kind) {column, kind, PKTSEQ_ROLE_CONTEXT, 0, 1, NULL, 0, 0}
static const pktseq_field pktseqi_recommended_field[] = {
    PKTSEQI_FIELD("timestamp", PKTSEQ_LOG_SINCE_PREVIOUS),
    PKTSEQI_FIELD("same_connection", PKTSEQ_FLAG),
    {"token", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 5},
    PKTSEQI_COUNTER("pair_packets", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_syn", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_reset", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_fin", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_push", PKTSEQ_NUMBER),
    PKTSEQI_COUNTER("pair_length", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_connections", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_services", PKTSEQ_LOG),
    PKTSEQI_COUNTER("pair_per_connection", PKTSEQ_LOG),
    PKTSEQI_COUNTER("source_hosts", PKTSEQ_LOG),
    PKTSEQI_COUNTER("source_services", PKTSEQ_LOG),
    PKTSEQI_COUNTER("source_connections", PKTSEQ_LOG)};

PKTSEQ_DEF pktseq_rule pktseq_rule_default(void) {
    pktseq_rule rule;
    memset(&rule, 0, sizeof rule);
    rule.min_length = 4;  // these three are the reference's
    rule.max_length = 320;
    rule.window = 1;
    rule.idle = 30;  // as long as a token looks back
    // 69 MB at most, see pktseq_tracker; what is forgotten for want of room is counted.
    rule.max_connections = rule.max_pairs = (size_t)1 << 16;
    rule.max_packets = (size_t)1 << 20;
    return rule;
}

PKTSEQ_DEF pktseq_rule pktseq_rule_connection(void) {
    pktseq_rule rule = pktseq_rule_default();
    rule.kind = PKTSEQ_RULE_CONNECTION;
    rule.min_length = 1;
    return rule;
}

PKTSEQ_DEF pktseq_schema pktseq_schema_default(void) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.field = pktseqi_default_field;
    schema.field_count = PKTSEQI_LENGTH(pktseqi_default_field);
    schema.rule = pktseq_rule_default();
    return schema;
}

PKTSEQ_DEF pktseq_schema pktseq_schema_reference(void) {
    pktseq_schema schema = pktseq_schema_default();
    schema.field = pktseqi_reference_field;  // as many
    schema.rule.reference_names = 1;
    return schema;
}

PKTSEQ_DEF pktseq_schema pktseq_schema_recommended(int context) {
    pktseq_schema schema = pktseq_schema_default();
    schema.field = pktseqi_recommended_field;
    schema.field_count = sizeof pktseqi_recommended_field / sizeof *pktseqi_recommended_field -
                         (context ? 0 : PKTSEQ_COUNTERS);
    schema.rule = pktseq_rule_connection();
    schema.constant_is_zero = 1;
    return schema;
}

// The most texts that a one-hot column may have. Each becomes a feature, so more is a mistake.
#define PKTSEQI_MOST_NAMES 4096

// Schemas come from programs or from checkpoints, which nothing is known about, so all of one is
// checked before it is used: later code relies on names, kinds, roles and categories.

// Fails because of a field of a schema.
static pktseq_status pktseqi_field_bad(pktseq_error *err, const pktseq_field *field,
                                       const char *what) {
    return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "field %q %s", field->column, what);
}

// Checks a field's categories: UTF-8, each once. Comparing each with all before it makes at most 8
// million comparisons of 4096 names, once a file.
static pktseq_status pktseqi_categories_check(const pktseq_field *f, pktseq_error *err) {
    if (!f->category_count) return PKTSEQ_OK;
    if (f->category_count > PKTSEQI_MOST_NAMES)
        return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "field %q lists %z categories, "
                             "expected at most %z", f->column, f->category_count,
                             (size_t)PKTSEQI_MOST_NAMES);
    if (!pktseqi_field_texts(f))
        return pktseqi_field_bad(err, f, "lists categories but is not of a kind that has them");
    if (!f->category)
        return pktseqi_field_bad(err, f, "counts categories but lists none");
    for (size_t k = 0; k < f->category_count; ++k) {
        if (!f->category[k] || !pktseqi_utf8(f->category[k], strlen(f->category[k])))
            return pktseqi_field_bad(err, f, "has a category that is not UTF-8");
        for (size_t j = 0; j < k; ++j)
            if (strcmp(f->category[j], f->category[k]) == 0)
                return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "field %q lists category %q "
                                     "twice", f->column, f->category[k]);
    }
    return PKTSEQ_OK;
}

// Returns 1 if a name can be that of a column: UTF-8 and not empty.
static int pktseqi_column_name_good(const char *name) {
    return name && name[0] && pktseqi_utf8(name, strlen(name));
}

// Checks field i of a schema: kind and role known, a context at the end and of numbers, no column
// used as both number and text.
static pktseq_status pktseqi_field_check(const pktseq_schema *schema, size_t i,
                                         pktseq_error *err) {
    const pktseq_field *f = &schema->field[i];
    int context = f->role == PKTSEQ_ROLE_CONTEXT;
    const char *bad = NULL;
    if (!pktseqi_column_name_good(f->column))
        return pktseqi_bad_argument(err, "a field's column name is empty or not UTF-8");
    if ((size_t)f->kind >= PKTSEQI_LENGTH(pktseqi_kinds)) bad = "has an unknown kind";
    else if ((int)f->role < 0 || f->role > PKTSEQ_ROLE_CONTEXT) bad = "has an unknown role";
    else if (i > 0 && !context && schema->field[i - 1].role == PKTSEQ_ROLE_CONTEXT)
        bad = "stands after a field of the context";
    else if (context && pktseqi_field_is_class(f)) bad = "of the context is not a number";
    else if (!pktseqi_finite(&f->mean) || !pktseqi_finite(&f->sd) || f->sd < 0)
        bad = "has a mean or deviation that cannot be";
    if (bad) return pktseqi_field_bad(err, f, bad);
    for (size_t j = 0; j < i; ++j)
        if (strcmp(f->column, schema->field[j].column) == 0 &&
            pktseqi_field_texts(f) != pktseqi_field_texts(&schema->field[j]))
            return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "column %q is asked for as number "
                                 "and as text", f->column);
    return pktseqi_categories_check(f, err);
}

// Checks a schema, apart from what only reading a file needs.
static pktseq_status pktseqi_schema_check(const pktseq_schema *schema, pktseq_error *err) {
    pktseq_status status = PKTSEQ_OK;
    if (!schema || !schema->field || schema->field_count == 0)
        return pktseqi_bad_argument(err, "the schema has no fields");
    if (!pktseqi_share_below_one(&schema->hold_out))
        return pktseqi_bad_argument(err, "hold_out is not a share from 0 to below 1");
    if (schema->separator == '"' || schema->separator == '\n' || schema->separator == '\r')
        return pktseqi_bad_argument(err, "the separator is a quote or an end of line");
    for (size_t i = 0; status == PKTSEQ_OK && i < schema->field_count; ++i)
        status = pktseqi_field_check(schema, i, err);
    return status;
}

// Checks a rule that is to be followed. Limits are below 2^31, so that the tracker's 32-bit slots,
// and links that have a bit beside a slot, hold them; lengths fit the tracker's 32-bit positions
// and, by either rule, a checkpoint, so that no run ends with a codec that cannot be saved.
static pktseq_status pktseqi_rule_check(const pktseq_rule *rule, pktseq_error *err) {
    const double *seconds[] = {&rule->window, &rule->idle};
    if (rule->min_length == 0) return pktseqi_bad_argument(err, "the rule's min_length is 0");
    if (rule->max_length < rule->min_length)
        return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "the rule's max_length is %z, expected "
                             "at least its min_length, %z", rule->max_length, rule->min_length);
    for (int i = 0; i < 2; ++i)
        if (!pktseqi_finite(seconds[i]) || *seconds[i] < 0)
            return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "the rule's %s is %f, expected "
                                 "seconds from 0", i ? "idle" : "window", *seconds[i]);
    if (rule->kind != PKTSEQ_RULE_REFERENCE && rule->kind != PKTSEQ_RULE_CONNECTION)
        return pktseqi_bad_argument(err, "the rule's kind is neither reference nor connection");
    if (rule->max_length >= UINT32_MAX)
        return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "the rule's max_length is %z, expected "
                             "a number below 2^32 - 1", rule->max_length);
    if (rule->max_connections > UINT32_MAX / 2 || rule->max_pairs > UINT32_MAX / 2 ||
        rule->max_packets > UINT32_MAX / 2)
        return pktseqi_bad_argument(err, "a limit of the rule is 2^31 or more");
    return PKTSEQ_OK;
}

// Checks what reading a file needs beyond the fields: columns to be kept, and the rule.
static pktseq_status pktseqi_schema_check_reading(const pktseq_schema *schema, pktseq_error *err) {
    pktseq_status status = pktseqi_schema_check(schema, err);
    if (status) return status;
    if (schema->keep_count && !schema->keep)
        return pktseqi_bad_argument(err, "the schema counts columns to keep but lists none");
    for (size_t i = 0; i < schema->keep_count; ++i)
        if (!pktseqi_column_name_good(schema->keep[i]))
            return pktseqi_bad_argument(err, "the name of a column to keep is empty or not UTF-8");
    return schema->rule.min_length ? pktseqi_rule_check(&schema->rule, err) : PKTSEQ_OK;
}

PKTSEQI_COLD_END

// ---- >>notation: words, times and flags as programs write them --------------------------------
//
// In: the text of a cell; out: a number, or 0 if it is none in this notation. Plain numbers are
// read by >>number; the notations here are tried only after that has failed, except for times of a
// file whose first one is not in seconds. Nothing depends on the locale.

// Trims blanks at both ends, spaces and tabs of ASCII, and returns where the text begins. Line ends
// within quotes are no blanks, so that the header of a damaged file is not taken for a good one.
static const char *pktseqi_trim(const char *text, size_t *size) {
    while (*size && (text[*size - 1] == ' ' || text[*size - 1] == '\t')) --*size;
    for (; *size && (*text == ' ' || *text == '\t'); ++text) --*size;
    return text;
}

// Returns 1 if two characters are the same or one letter of ASCII in both cases: programs spell
// names and words differently, and no locale may change what they mean.
static int pktseqi_same_letter(char a, char b) {
    return a == b || ((a ^ b) == 32 && (a | 32) >= 'a' && (a | 32) <= 'z');
}

// Returns 1 if `text` is this word in any case.
static int pktseqi_same_word(const char *text, size_t size, const char *word, size_t length) {
    size_t i = 0;
    if (size != length) return 0;
    while (i < size && pktseqi_same_letter(text[i], word[i])) ++i;
    return i == size;
}

// Returns the index of a text among the words of a list, "TCP|UDP", in any case; -1 = not there.
static int pktseqi_word_find(const char *text, size_t size, const char *list) {
    for (int i = 0;; ++i, ++list) {
        size_t same = 0;
        while (same < size && list[same] != '|' && pktseqi_same_letter(text[same], list[same]))
            ++same;
        list += same;
        if (same == size && (!*list || *list == '|')) return i;
        while (*list && *list != '|') ++list;
        if (!*list) return -1;
    }
}

// Transports by IP's numbers. source: iana.org/assignments/protocol-numbers
enum {
    PKTSEQI_ICMP = 1,
    PKTSEQI_IPV4 = 4,  // an IP packet in another
    PKTSEQI_TCP = 6,
    PKTSEQI_UDP = 17,
    PKTSEQI_ICMPV6 = 58,
    PKTSEQI_SCTP = 132
};

// Returns 1 if a transport is ICMP, which has a type, a code and an identifier instead of ports.
static int pktseqi_transport_icmp(unsigned transport) {
    return transport == PKTSEQI_ICMP || transport == PKTSEQI_ICMPV6;
}

// Returns IP's number of a protocol by its name in Wireshark; -1 for a protocol without IP; 0 for
// others, such as services (HTTP, DNS ..), which may have any transport. Numbers are IANA's.
static int pktseqi_name_protocol(const char *name, size_t size) {
    static const struct {
        const char *name;
        int number;
    } list[] = {{"TCP", 6}, {"UDP", 17}, {"ICMP", 1}, {"ICMPv6", 58}, {"GRE", 47}, {"ESP", 50},
                {"AH", 51}, {"IGMP", 2}, {"IGMPv1", 2}, {"IGMPv2", 2}, {"IGMPv3", 2},
                {"OSPF", 89}, {"PIM", 103}, {"PIMv2", 103}, {"VRRP", 112}, {"SCTP", 132},
                {"ARP", -1}, {"RARP", -1}, {"STP", -1}, {"RSTP", -1}, {"LLDP", -1}, {"CDP", -1},
                {"LLC", -1}, {"EAPOL", -1}, {"IPX", -1}, {"LOOP", -1}, {"802.11", -1},
                {"LACP", -1}, {"PPPoED", -1}, {"DTP", -1}, {"VTP", -1}};
    for (size_t i = 0; i < PKTSEQI_LENGTH(list); ++i)
        // The first letter excludes nearly all. With it, and with absent columns skipped, a quoted
        // capture is read in two thirds of the time.
        if (size && pktseqi_same_letter(*name, *list[i].name) &&
            pktseqi_same_word(name, size, list[i].name, strlen(list[i].name)))
            return list[i].number;
    return 0;
}

// Returns 1 for an address of Ethernet, "00:11:22:33:44:55" or "Vendor_33:44:55", which Wireshark
// shows for frames without IP. Groups of two digits are counted from the end: six make an address,
// and three after an underscore the part that follows a vendor's name. An address of IPv6 that ends
// like one has longer groups or too many.
static int pktseqi_is_ethernet(const char *text, size_t at) {
    static const char hex[] = "0123456789abcdefABCDEF";
    size_t groups = 0;
    if (pktseqi_word_find(text, at, "Broadcast") >= 0) return 1;
    for (; at >= 2 && strchr(hex, text[at - 1]) && strchr(hex, text[at - 2]); --at) {
        ++groups;
        at -= 2;
        if (at == 0 || text[at - 1] != ':') break;
    }
    return (at == 0 && groups == 6) || (groups == 3 && at > 1 && text[at - 1] == '_');
}

// The notation of a file's times and flags. Its first ones decide, so that no row is read otherwise
// than the one before it.
typedef struct pktseqi_notation {
    int unit;           // times are whole numbers of 10^-unit seconds; -1 = not known yet
    size_t hex;         // digits of tcp.flags if it is hexadecimal without "0x"; 0 = not known
} pktseqi_notation;

// Reads numbers by a pattern, in which d stands for one to nine digits and any other character for
// itself. Returns where the text stops matching at the pattern's end, or NULL.
static const char *pktseqi_scan(const char *p, const char *pattern, unsigned *number) {
    for (; *pattern; ++pattern) {
        if (*pattern == 'd') {
            const char *begin = p;
            for (*number = 0; *p >= '0' && *p <= '9' && p - begin < 9; ++p)
                *number = 10 * *number + (unsigned)(*p - '0');
            if (p == begin) return NULL;
            ++number;
        } else if (*p++ != *pattern) {
            return NULL;
        }
    }
    return p;
}

// Returns the days from 1970-01-01 to a date, by H. Hinnant, "chrono-compatible low-level date
// algorithms": years that begin in March, so that a leap day is the last one; 719468 of these days
// lie before 1970. The year is at least 1.
static long long pktseqi_days(unsigned year, unsigned month, unsigned day) {
    long long y = (long long)year - (month <= 2);
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * ((month + 9) % 12) + 2) / 5 + day - 1 -
           719468;
}

// Reads a date and time as in ISO 8601, "2024-03-05T10:00:00.25+01:00", also with a blank for the
// T, a comma for the point, Z or nothing for UTC, or a zone without a colon; or a time of day
// alone. The result is in seconds since 1970 or midnight, the double nearest to the decimal number.
static int pktseqi_date_parse(const char *text, double *value) {
    // Year, month, day, hours, minutes, seconds; hours and minutes of the zone.
    static const unsigned max[8] = {9999, 12, 31, 23, 60, 60, 14, 59};
    unsigned n[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    char decimal[64];
    pktseqi_text t = pktseqi_text_fixed(decimal, sizeof decimal);
    const char *p = pktseqi_scan(text, "d-d-d", n), *fraction;
    size_t digits;
    long long seconds, east;
    if (p && *p != ' ' && *p != 'T') return 0;
    if (!p) n[0] = 1970, n[1] = n[2] = 1;
    p = pktseqi_scan(p ? p + 1 : text, "d:d:d", n + 3);
    if (!p) return 0;
    fraction = p + 1;
    digits = *p == '.' || *p == ',' ? strspn(fraction, "0123456789") : 0;
    if (digits) p = fraction + digits;
    p += *p == 'Z';
    east = *p == '-' ? -1 : 1;
    if (*p == '+' || *p == '-') {
        const char *zone = p + 1;
        p = pktseqi_scan(zone, "d", n + 6);
        if (p && *p == ':') p = pktseqi_scan(p, ":d", n + 7);
        else if (p == zone + 4) n[7] = n[6] % 100, n[6] /= 100;
    }
    if (!p || *p || digits > 18) return 0;
    for (int i = 0; i < 8; ++i)
        if (n[i] > max[i] || (i < 3 && n[i] == 0)) return 0;
    // The 30th of February would be a day of the next month.
    if (n[2] > 28 &&
        pktseqi_days(n[0], n[1], n[2]) >= pktseqi_days(n[0] + n[1] / 12, n[1] % 12 + 1, 1))
        return 0;
    seconds = 86400 * pktseqi_days(n[0], n[1], n[2]) + 3600LL * n[3] + 60 * n[4] + n[5] -
              east * (3600LL * n[6] + 60 * n[7]);
    if (seconds < 0) return 0;
    pktseqi_put_u64(&t, (uint64_t)seconds);
    pktseqi_put_text(&t, ".");
    pktseqi_put_bytes(&t, fraction, digits);
    return pktseqi_number_parse(decimal, t.size, value);
}

// Reads the time of a packet of a capture: seconds with a point or a comma, or a date. If the first
// time of a file is a whole number from 10^11, all are milli-, micro- or nanoseconds since 1970, by
// its size: 10^11 seconds are the year 5138, 10^11 milliseconds 1973. A comma is a point only if it
// is the only one among digits and signs.
static int pktseqi_time_parse(pktseqi_notation *notation, const char *cell, size_t size,
                              double *value) {
    char text[64], *comma;
    if (notation->unit == 0 && pktseqi_number_parse(cell, size, value)) return 1;
    if (size >= sizeof text - 4) return 0;  // no time is that long; 4 bytes are for an exponent
    memcpy(text, cell, size);
    text[size] = 0;
    comma = strchr(text, ',');
    if (comma && strspn(text, "+-0123456789,") == size && comma == strrchr(text, ',')) *comma = '.';
    if (!pktseqi_number_parse(text, size, value)) {
        if (notation->unit > 0 || !pktseqi_date_parse(text, value)) return 0;
    } else if (notation->unit < 0 && *value >= 1e11 && *value < 1e20 &&
               strspn(text, "0123456789") == size) {
        notation->unit = *value < 1e14 ? 3 : *value < 1e17 ? 6 : 9;
    }
    if (notation->unit < 0) notation->unit = 0;
    if (notation->unit == 0) return 1;
    memcpy(text + size, "e-", 2);  // scaled in decimal, for the nearest double
    text[size + 2] = (char)('0' + notation->unit);
    return pktseqi_number_parse(text, size + 3, value);
}

// Reads the letters of flags: tcp.flags.str, twelve places of which unset ones hold a dot of some
// kind ("*******A**S*", with U+00B7 as Wireshark writes it), or the letters alone ("PA"). In twelve
// places the place decides, since R is reset or reserved and A is ACK or accurate ECN; the letter
// is only checked. U+00B7 is two bytes of UTF-8, c2 b7, or the second alone in Latin 1.
static int pktseqi_flags_letters(const char *text, size_t size, unsigned *flags) {
    static const char at[] = "FSRPAUECNRRR";  // from the last place; the first eight also alone
    char place[16];
    size_t places = 0;
    *flags = 0;
    for (size_t i = 0; i < size; ++i) {
        char c = text[i];
        if ((unsigned char)c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] == 0xb7) ++i;
        if (places == sizeof place || !c) return 0;
        place[places++] = strchr(".*-_\xb7\xc2", c) ? '.' : c;
    }
    for (size_t i = 0; i < places; ++i) {
        size_t bit = places - 1 - i;
        const char *letter = (const char *)memchr(at, place[i], 8);
        if (place[i] == '.') continue;
        if (places == 12 ? place[i] != at[bit] && (place[i] != 'A' || bit != 8) : !letter) return 0;
        if (places != 12) bit = (size_t)(letter - at);
        if (*flags >> bit & 1) return 0;
        *flags |= 1u << bit;
    }
    return places > 0;
}

// Reads tcp.flags: "0x0018", "24", or letters. A number without "0x" is hexadecimal if it has
// leading zeros ("0018"), and so is then every one with as many digits, such as "1000" of the same
// program. "24.0" is written by programs that keep columns with empty cells as floating point. The
// word has 12 bits: the lower 9 are flags, the upper 3 are reserved.
static int pktseqi_flags_parse(pktseqi_notation *notation, const char *cell, size_t size,
                               unsigned *flags) {
    size_t prefix = size > 2 && cell[0] == '0' && (cell[1] == 'x' || cell[1] == 'X') ? 2 : 0;
    int decimal = strspn(cell, "0123456789") == size;
    double value;
    if (decimal && size >= 3 && cell[0] == '0') notation->hex = size;
    if ((!decimal || notation->hex == size) && cell[0] >= '0' && cell[0] <= '9' &&
        strspn(cell + prefix, "0123456789abcdefABCDEF") == size - prefix)
        value = (double)strtoul(cell, NULL, 16);
    else if (!pktseqi_number_parse(cell, size, &value))
        return pktseqi_flags_letters(cell, size, flags);
    *flags = value >= 0 && value < 4096 ? (unsigned)value : 0;
    return *flags == value;
}

PKTSEQI_COLD

// The words are those of CICIDS, UNSW-NB15, KDD and similar data sets; 0 may be written as 0.0, as
// by programs that keep columns as floating point.
PKTSEQ_DEF int pktseq_label_is_normal(const char *label) {
    size_t size = label ? strlen(label) : 0;
    double value;
    if (size) label = pktseqi_trim(label, &size);
    return size == 0 ||
           pktseqi_word_find(label, size, "-|benign|normal|false|none|legitimate") >= 0 ||
           (pktseqi_number_parse(label, size, &value) && value == 0);
}

// Appends the date and time of day of whole seconds since 1970, "2026-01-31T12:00:00". The year is
// searched from the first one that it can be, less than one step for each 365 years.
static void pktseqi_put_date(pktseqi_text *t, uint64_t seconds) {
    long long days = (long long)(seconds / 86400);
    unsigned clock = (unsigned)(seconds % 86400);
    unsigned n[6] = {(unsigned)(1970 + days / 366), 1, 0,
                     clock / 3600, clock / 60 % 60, clock % 60};
    while (pktseqi_days(n[0] + 1, 1, 1) <= days) ++n[0];
    while (n[1] < 12 && pktseqi_days(n[0], n[1] + 1, 1) <= days) ++n[1];
    n[2] = (unsigned)(days - pktseqi_days(n[0], n[1], 1) + 1);
    for (int k = 0; k < 6; ++k) {
        if (k) pktseqi_put_bytes(t, &"--T::"[k - 1], 1);
        pktseqi_put_digits(t, n[k], k ? 2 : 4);
    }
}

PKTSEQ_DEF char *pktseq_time_text(double seconds, char text[40]) {
    static const double from = 631152000, past = 253402300800.0;  // the years 1990 to 9999
    pktseqi_text t;
    int date = seconds >= from && seconds < past;
    double whole = floor(fabs(seconds)), micro = floor((fabs(seconds) - whole) * 1e6 + 0.5);
    if (!text) return NULL;
    t = pktseqi_text_fixed(text, 40);
    if (!(fabs(seconds) < 1e15)) {  // no room for more digits; or not a number
        pktseqi_put(&t, "%f", seconds);
        return text;
    }
    if (micro >= 1e6) whole += 1, micro -= 1e6;
    if (seconds < 0) pktseqi_put_text(&t, "-");
    if (date) pktseqi_put_date(&t, (uint64_t)whole);
    else pktseqi_put_u64(&t, (uint64_t)whole);
    pktseqi_put_text(&t, ".");
    pktseqi_put_digits(&t, (uint64_t)micro, 6);
    if (date) pktseqi_put_text(&t, "Z");
    return text;
}

PKTSEQI_COLD_END

// ---- >>columns: cells in the narrowest type that holds them, texts by number ------------------
//
// In: blocks of PKTSEQI_BLOCK rows, staged as doubles or whole numbers; out: a table's columns,
// each in the narrowest type that holds its cells (one byte a flag, where a double has eight). A
// column grows by column_append and table_grow. Texts are stored once, in the column's names, and
// cells hold their index: texts_find, then texts_add for a new one.

// Rows that are staged before they are appended: 4 kB of each column, so that 20 columns fit into a
// level 2 cache.
enum { PKTSEQI_BLOCK = 512 };

// The staged cells of a column: numbers; or whole numbers, such as the indices of texts.
typedef union pktseqi_staged {
    double number[PKTSEQI_BLOCK];
    uint32_t text[PKTSEQI_BLOCK];
} pktseqi_staged;

// Each type of cell is read and written by a loop of its own over a block of rows, which compilers
// turn into vector code: the type is looked at once a block, not once a cell.

// Returns the bytes of a cell.
static size_t pktseqi_cell_bytes(pktseq_cell type) {
    return type == PKTSEQ_CELL_DOUBLE ? sizeof(double) : (size_t)1 << ((int)type - 1);
}

// Return 1 if a column holds texts, or numbers. One that a program has filled may hold neither.
static int pktseqi_column_texts(const pktseq_column *c) {
    return c && c->cell && c->names && c->type != PKTSEQ_CELL_DOUBLE;
}
static int pktseqi_column_numbers(const pktseq_column *c) { return c && c->cell && !c->names; }

// Does LOOP(T) for the C type T of cells of a pktseq_cell type.
#define PKTSEQI_BY_TYPE(type, LOOP) \
    switch (type) { \
    case PKTSEQ_CELL_U8: LOOP(uint8_t); break; \
    case PKTSEQ_CELL_U16: LOOP(uint16_t); break; \
    case PKTSEQ_CELL_U32: LOOP(uint32_t); break; \
    default: LOOP(double); \
    }

// Copies cells [row, row + count), which must exist, as doubles, which hold every type exactly.
static void pktseqi_cells_load(const pktseq_column *c, size_t row, size_t count, double *to) {
    const void *cell = c->cell;
#define PKTSEQI_LOAD(type) \
    for (size_t i = 0; i < count; ++i) to[i] = ((const type *)cell)[row + i]
    PKTSEQI_BY_TYPE(c->type, PKTSEQI_LOAD)
#undef PKTSEQI_LOAD
}

// Returns the number in a cell.
static double pktseqi_column_at(const pktseq_column *c, size_t row) {
    double number;
    pktseqi_cells_load(c, row, 1, &number);
    return number;
}

// Returns the index of the text in a cell.
static uint32_t pktseqi_column_text_at(const pktseq_column *c, size_t row) {
    return (uint32_t)(int64_t)pktseqi_column_at(c, row);
}

// Stores (count) staged cells, which the column's type can hold, in cells [row, row + count).
//   whole    they are v->text, else v->number
static void pktseqi_cells_store(pktseq_column *c, size_t row, const pktseqi_staged *v, int whole,
                                size_t count) {
    void *cell = c->cell;  // a copy, since stores of bytes may alias *c
#define PKTSEQI_STORE(type) \
    if (whole) for (size_t i = 0; i < count; ++i) ((type *)cell)[row + i] = (type)v->text[i]; \
    else for (size_t i = 0; i < count; ++i) ((type *)cell)[row + i] = (type)v->number[i]
    PKTSEQI_BY_TYPE(c->type, PKTSEQI_STORE)
#undef PKTSEQI_STORE
}

// Returns the narrowest type that holds all of (count) staged cells. A number is whole if it is the
// same, bit for bit, after conversion to uint32_t and back, which -0 and NaN are not.
static pktseq_cell pktseqi_staged_type(const pktseqi_staged *v, int whole, size_t count) {
    uint32_t any = 0;
    if (whole) for (size_t i = 0; i < count; ++i) any |= v->text[i];
    else for (size_t i = 0; i < count; ++i) {
        double number = v->number[i], back;
        uint32_t n = number >= 0 && number <= 4294967295.0 ? (uint32_t)number : 0;
        back = n;
        if (memcmp(&back, &number, sizeof back) != 0) return PKTSEQ_CELL_DOUBLE;
        any |= n;
    }
    return any < 256 ? PKTSEQ_CELL_U8 : any < 65536 ? PKTSEQ_CELL_U16 : PKTSEQ_CELL_U32;
}

// Moves a column's (rows) cells to memory for (room) cells of a type that can hold them. 0 = no
// memory; the column is unchanged. Old and new cells exist at the same time, one column after the
// other: that is the peak of memory while a table is read.
static int pktseqi_column_room(const pktseq_allocator *allocator, pktseq_column *c, size_t rows,
                               size_t room, pktseq_cell type) {
    pktseq_column to = *c;
    pktseqi_staged block;
    to.type = type;
    to.cell = pktseqi_alloc_large(allocator, room, pktseqi_cell_bytes(type));
    if (!to.cell) return 0;
    for (size_t row = 0, n; row < rows; row += n) {
        n = rows - row < PKTSEQI_BLOCK ? rows - row : (size_t)PKTSEQI_BLOCK;
        pktseqi_cells_load(c, row, n, block.number);
        pktseqi_cells_store(&to, row, &block, 0, n);
    }
    pktseqi_free(allocator, c->cell);
    *c = to;
    return 1;
}

// Appends (count) staged cells to a column of (rows), which has room for them; but a column without
// cells, or with too narrow ones, is moved to (room) cells that are wide enough. 0 = no memory.
static int pktseqi_column_append(const pktseq_allocator *allocator, pktseq_column *c, size_t rows,
                                 size_t room, const pktseqi_staged *v, int whole, size_t count) {
    if (!c->cell || c->type != PKTSEQ_CELL_DOUBLE) {
        pktseq_cell type = pktseqi_staged_type(v, whole, count);
        if ((!c->cell || pktseqi_cell_bytes(type) > pktseqi_cell_bytes(c->type)) &&
            !pktseqi_column_room(allocator, c, rows, room, type))
            return 0;
    }
    pktseqi_cells_store(c, rows, v, whole, count);
    return 1;
}

// Changes the room of every column and of source_row to (room) rows, at least (rows). 0 = no
// memory; the table is still valid, and some columns may have their new room.
static int pktseqi_table_grow(pktseq_table *table, size_t rows, size_t room) {
    for (size_t i = 0; i < table->column_count; ++i) {
        pktseq_column *c = &table->column[i];
        if (c->cell && !pktseqi_column_room(&table->allocator, c, rows, room, c->type)) return 0;
    }
    if (table->source_row) {
        void *p = pktseqi_regrow(&table->allocator, table->source_row, table->rows, room,
                                 sizeof *table->source_row);
        if (!p) return 0;
        table->source_row = (uint32_t *)p;
    }
    return 1;
}

// Stages a column of numbers of (count) packets, or of what the tracker derives from them, the
// member that the registry gives for it: as v->text if `whole`, else as v->number. The column of a
// flag is the number of its bit.
static void pktseqi_packets_get(const pktseq_packet *packet, const pktseq_tracked *tracked,
                                size_t count, size_t known, int whole, pktseqi_staged *v) {
    int derived = pktseqi_known[known].made_of != 0;
    size_t stride = derived ? sizeof *tracked : sizeof *packet;
    const char *at = (derived ? (const char *)tracked : (const char *)packet) +
                     pktseqi_known[known].offset;
    unsigned shift = pktseqi_known[known].bits ? (unsigned)known : 0;
    unsigned mask = pktseqi_known[known].bits ? 1 : 0xffff;
#define PKTSEQI_GET(type, result) \
    for (size_t i = 0; i < count; ++i, at += stride) { \
        type n; \
        memcpy(&n, at, sizeof n); \
        if (whole) v->text[i] = (uint32_t)(result); \
        else v->number[i] = (double)(result); \
    }
    switch (pktseqi_known[known].size) {
    case 1: PKTSEQI_GET(uint8_t, n) break;
    case 2: PKTSEQI_GET(uint16_t, (n >> shift) & mask) break;
    case 4: PKTSEQI_GET(uint32_t, n) break;
    default: PKTSEQI_GET(double, n)
    }
#undef PKTSEQI_GET
}

// Stores the (count) numbers of a column in the same member of packets, whose flags are 0. A number
// that the member cannot hold, also NaN, is stored as 0: as no port, transport or type.
static void pktseqi_packets_put(pktseq_packet *packet, size_t count, size_t known,
                                const double *number) {
    char *at = (char *)packet + pktseqi_known[known].offset;
#define PKTSEQI_PUT(type, max) \
    for (size_t i = 0; i < count; ++i, at += sizeof *packet) { \
        type n = (type)(number[i] >= 0 && number[i] <= max ? (unsigned)number[i] : 0); \
        memcpy(at, &n, sizeof n); \
    }
    if (pktseqi_known[known].bits)
        for (size_t i = 0; i < count; ++i)
            packet[i].flags = (uint16_t)(packet[i].flags | (unsigned)(number[i] != 0) << known);
    else if (pktseqi_known[known].size == 1) PKTSEQI_PUT(uint8_t, 255)
    else if (pktseqi_known[known].size == 2) PKTSEQI_PUT(uint16_t, 65535)
    else
        for (size_t i = 0; i < count; ++i, at += sizeof *packet)
            memcpy(at, &number[i], sizeof *number);
#undef PKTSEQI_PUT
}

// A node of the tree: the first bit by which the texts below it differ. Nodes refer to each other
// by index, since their array moves when it grows; the top bit of a child marks a text.
typedef struct pktseqi_node {
    size_t byte;            // the first that differs
    uint32_t child[2];      // a text's number and PKTSEQI_LEAF, or a node
    uint32_t some;          // number of any text below this node
    unsigned char bit;      // the highest bit that differs in that byte, as a mask
} pktseqi_node;
#define PKTSEQI_LEAF 0x80000000u

// A crit-bit tree (D. J. Bernstein, cr.yp.to/critbit.html) over numbered texts that lie elsewhere:
//
//      byte 7, bit 4 --0--> "10.0.0.1"
//            |
//            1----> byte 8, bit 32 --0--> "10.0.0.4"
//                         |
//                         1-------------> "10.0.0.40"
//
// Finding and adding cost at most a text's own length, whatever the others are, so nobody can make
// a file that is slow to read; a hash table would need a secret for that.
typedef struct pktseqi_tree {
    pktseqi_node *node;     // (texts - 1)
    size_t texts, capacity;
    uint32_t root;          // like a child
} pktseqi_tree;

// An entry of a cache of recent texts in front of the tree, since most packets have few addresses
// and protocols. Without it reading takes 15 to 20 % longer; 64 to 1024 entries make no measurable
// difference.
typedef struct pktseqi_seen {
    uint64_t tail;      // its last eight bytes, or all
    size_t size;        // -1 = none yet
    uint32_t index;     // its number
} pktseqi_seen;

enum { PKTSEQI_SEEN = 256 };

// Finds the texts of a column among its names while it grows.
typedef struct pktseqi_texts {
    pktseqi_tree tree;
    pktseqi_seen *seen;     // (PKTSEQI_SEEN)
    size_t capacity;        // of the column's names
} pktseqi_texts;

// Returns the side of a node on which a text of (size) bytes is. Beyond its end a text counts as
// zeros, which no text contains.
static int pktseqi_node_side(const pktseqi_node *node, const char *text, size_t size) {
    return node->byte < size && ((unsigned char)text[node->byte] & node->bit) != 0;
}

// Finds the index of a text; returns 0 if the tree does not have it, and then the index of one with
// the longest common beginning.
static int pktseqi_tree_find(const pktseqi_tree *tree, char *const *name, const char *text,
                             size_t size, uint32_t *index) {
    uint32_t at = tree->root;
    if (tree->texts == 0) return 0;
    while (!(at & PKTSEQI_LEAF)) {
        const pktseqi_node *node = &tree->node[at];
        // All texts below are longer than this one: any will do, and descending could take long.
        if (node->byte > size) at = node->some | PKTSEQI_LEAF;
        else at = node->child[pktseqi_node_side(node, text, size)];
    }
    at ^= PKTSEQI_LEAF;
    *index = at;
    return strncmp(name[at], text, size) == 0 && name[at][size] == 0;
}

// Adds text number `index`, for which pktseqi_tree_find has found only `like`. 0 = no memory. The
// new node belongs above the first node on the way down that tests a later bit than the one by
// which the text differs from `like`; all texts below that one share what comes before.
static int pktseqi_tree_add(pktseqi_tree *tree, const pktseq_allocator *allocator,
                            char *const *name, const char *text, size_t size, uint32_t like,
                            uint32_t index) {
    pktseqi_node added;
    unsigned differ;
    uint32_t *link = &tree->root;
    int own;
    if (tree->texts == 0) {
        tree->root = index | PKTSEQI_LEAF;
        tree->texts = 1;
        return 1;
    }
    if (tree->texts > tree->capacity &&
        !pktseqi_grow(allocator, &tree->node, &tree->capacity, tree->texts - 1, 16,
                      sizeof *tree->node))
        return 0;
    memset(&added, 0, sizeof added);
    while (text[added.byte] == name[like][added.byte]) ++added.byte;
    differ = (unsigned)(unsigned char)text[added.byte] ^ (unsigned char)name[like][added.byte];
    for (added.bit = 0x80; (differ & added.bit) == 0;) added.bit = (unsigned char)(added.bit >> 1);
    while (!(*link & PKTSEQI_LEAF)) {  // down to where the texts differ below that bit
        pktseqi_node *node = &tree->node[*link];
        if (node->byte > added.byte || (node->byte == added.byte && node->bit <= added.bit)) break;
        link = &node->child[pktseqi_node_side(node, text, size)];
    }
    own = pktseqi_node_side(&added, text, size);
    added.some = index;
    added.child[own] = index | PKTSEQI_LEAF;
    added.child[!own] = *link;
    *link = (uint32_t)(tree->texts - 1);
    tree->node[tree->texts++ - 1] = added;
    return 1;
}

// Adds text number `index` unless the tree has an equal one; *id is the number of that, else index.
// 0 = no memory.
static int pktseqi_tree_put(pktseqi_tree *tree, const pktseq_allocator *allocator,
                            char *const *name, uint32_t index, uint32_t *id) {
    size_t size = strlen(name[index]);
    uint32_t like = 0;
    int found = pktseqi_tree_find(tree, name, name[index], size, &like);
    *id = found ? like : index;
    return found || pktseqi_tree_add(tree, allocator, name, name[index], size, like, index);
}

// Empties the cache of a column that has no texts yet. 0 = no memory.
static int pktseqi_texts_init(pktseqi_texts *t, const pktseq_allocator *allocator) {
    t->seen = (pktseqi_seen *)pktseqi_alloc(allocator, PKTSEQI_SEEN, sizeof *t->seen);
    if (t->seen) memset(t->seen, 0xff, PKTSEQI_SEEN * sizeof *t->seen);
    return t->seen != NULL;
}

// Finds the index of a text: in the cache, by the text's last eight bytes, where addresses differ,
// spread by 2^64 / golden ratio; else in the tree. Returns 0 for a new text, and then the index of
// the most similar one, see pktseqi_tree_find.
static int pktseqi_texts_find(const pktseqi_texts *t, const pktseq_column *column,
                              const char *text, size_t size, uint32_t *index) {
    uint64_t tail = 0;
    pktseqi_seen *seen;
    memcpy(&tail, text + (size < 8 ? 0 : size - 8), size < 8 ? size : 8);
    seen = t->seen + ((tail * 0x9e3779b97f4a7c15u) >> 56);
    if (seen->tail == tail && seen->size == size &&
        (size <= 8 || memcmp(column->names[seen->index], text, size - 8) == 0)) {
        *index = seen->index;
        return 1;
    }
    if (!pktseqi_tree_find(&t->tree, column->names, text, size, index)) return 0;
    seen->tail = tail;
    seen->size = size;
    seen->index = *index;
    return 1;
}

// Appends a new text, which ends with a 0, to a column's names and to its tree. 0 = no memory; the
// name may then be in the column, whose owner frees it.
//   like    as pktseqi_texts_find has it
static int pktseqi_texts_add(pktseqi_texts *t, const pktseq_allocator *allocator,
                             pktseq_column *column, const char *text, size_t size, uint32_t like) {
    char *copy;
    if (column->name_count == t->capacity &&
        !pktseqi_grow(allocator, &column->names, &t->capacity, column->name_count,
                      column->name_count + 16, sizeof *column->names))
        return 0;
    copy = pktseqi_copy(allocator, text);
    if (!copy) return 0;
    column->names[column->name_count++] = copy;
    return pktseqi_tree_add(&t->tree, allocator, column->names, copy, size, like,
                            (uint32_t)column->name_count - 1);
}

PKTSEQ_DEF const pktseq_column *pktseq_table_column(const pktseq_table *table, const char *name) {
    for (size_t i = 0; table && name && i < table->column_count; ++i)
        if (strcmp(table->column[i].name, name) == 0) return &table->column[i];
    return NULL;
}

PKTSEQ_DEF double pktseq_column_number(const pktseq_column *column, size_t row) {
    return column && column->cell ? pktseqi_column_at(column, row) : 0;
}

PKTSEQ_DEF const char *pktseq_column_text(const pktseq_column *column, size_t row) {
    uint32_t text = pktseqi_column_texts(column) ? pktseqi_column_text_at(column, row) : UINT32_MAX;
    return text != UINT32_MAX && text < column->name_count ? column->names[text] : NULL;
}

// Frees what a column holds.
static void pktseqi_column_free(const pktseq_allocator *allocator, pktseq_column *column) {
    pktseqi_free(allocator, column->name);
    pktseqi_free(allocator, column->cell);
    pktseqi_free_names(allocator, column->names, column->name_count);
}

// Moves (count) cells of (bytes) each from row `from` to row `to`, which is not after it. A column
// that a program has filled may have no cells.
static void pktseqi_cells_shift(void *cell, size_t to, size_t from, size_t count, size_t bytes) {
    unsigned char *p = (unsigned char *)cell;
    if (p && to != from) memmove(p + to * bytes, p + from * bytes, count * bytes);
}

// ---- >>header: which cells of a file serve which column ---------------------------------------
//
// In: a schema, then the header line; out: a resolved list of requests, one for each column of the
// table, each with the cells that it is read from.
//   request_list      what the fields, the rule, the kept and the derived columns require
//   table_header      names of the header -> sources of each known column (name_rank), requests
//                     resolved, or refused with a list of all that are missing
//   table_columns     the table's columns, still without rows
// Memory is bounded by the header line and the schema, never by a number in the file.

// The most ranks of a column's names (timestamp has 6), and cells that may hold it (ports: 3,
// TCP's, UDP's and SCTP's). Both are bounds of arrays, so aliases with more ranks need more here.
enum { PKTSEQI_RANKS = 8, PKTSEQI_SOURCES = 4 };

// The cells of each row that hold a column; the first that is not empty counts. A file with
// positions has one; in a capture ports may be in three and addresses in two, by transport and
// version of IP.
typedef struct pktseqi_sources {
    size_t cell[PKTSEQI_SOURCES];
    int rank[PKTSEQI_SOURCES];  // 0 = under its own name
    size_t cells;
    size_t repeated;            // how often a name occurs that may occur once, or 0
} pktseqi_sources;

// A cell of the current row, in csv's window. It may be changed in place: the window belongs to the
// reader, and no row is read twice.
typedef struct pktseqi_cell {
    char *text;         // ends with a 0
    size_t size;
    size_t at;          // its index in the row
    int rank;           // of its column's name; -1 = all cells of the column are empty
} pktseqi_cell;

// Why a column is requested: bits of pktseqi_request.by.
enum {
    PKTSEQI_BY_FIELD = 1,
    PKTSEQI_BY_KEEP = 2,     // the schema keeps it: it may be missing
    PKTSEQI_BY_RULE = 4,     // a capture cannot be cut into sequences without it
    PKTSEQI_BY_DERIVED = 8   // a requested column, which the file may lack, is derived from it
};

// A column that the schema requests; request[0] is "position", request[i] belongs to the table's
// column i - 1.
typedef struct pktseqi_request {
    const char *name;
    size_t known;            // its index in pktseqi_known, or PKTSEQI_COLUMNS
    pktseqi_value_kind kind;
    unsigned by;             // PKTSEQI_BY_.. bits
    unsigned bits;           // of a flag that is read from tcp.flags; 0 = it has a column
    int inferred;            // the transport, where each row's other cells tell it
    int whole;               // its cells are staged as whole numbers: all but numbers of CSV are
    pktseqi_sources from;
    pktseqi_cell cell;       // of the current row
    pktseqi_staged *staged;  // cells of the rows that are not yet in the column
    pktseqi_texts texts;     // of a column of texts
} pktseqi_request;

// The state of reading a table. The header sets up the first part, once a file; row_load and
// row_kind fill in the second for each row of a capture.
typedef struct pktseqi_reader {
    pktseqi_csv *csv;
    pktseq_table *table;
    const pktseq_schema *schema;
    pktseqi_request *request;
    size_t count;       // of requests
    size_t cells;       // in each row
    char **title;       // (cells) the names in the header as the file spells them
    size_t last;        // cells up to the last one that may be read
    pktseqi_sources known[PKTSEQI_COLUMNS];
    int capture;        // there is no position, so the table is to be cut into sequences
    int tcp_only;
    int flagged;        // the file has flags in some form, so it tells which rows are TCP
    pktseqi_notation notation;  // of times and flags
    // Of the current row of a capture:
    pktseqi_cell row[PKTSEQI_COLUMNS];  // of each known column the first that is not empty
    unsigned transport; // IP's number, or 0
    int has_ports, has_flags;
    int tcp;            // it is of TCP and has ports or flags
    unsigned flags;     // tcp.flags, if flags are read from it,
    int flags_read;     // and if it has been read
    int tunnel;         // it has addresses of IPv4 and of IPv6
    int quotes;         // it is of ICMP and has ports or flags, which are those of a quoted packet
    int error;          // it is of ICMP and quotes a packet, whose addresses come last
    char zero[2];       // "0", the text of a cell that this kind of packet does not have
    char empty[1];      // "", that of a column that the file does not have
    // Progress:
    double position;    // of the row before those that are staged
    size_t capacity;    // rows of the table when the block of staged rows is full
    size_t flushed;     // rows that are in the columns
    size_t room, start_capacity;  // rows and sequences for which there is memory
    pktseqi_staged *staged;    // (count)
    pktseq_error first;        // of the first row that could not be read
    int fast;                  // the fast path can read the file
    pktseqi_request **by_cell; // (cells) for it: the request of each cell, or NULL
    size_t whole, looked;      // where the window's last whole row ends, after how many fills
} pktseqi_reader;

// Returns 1 for a request of a flag or port: packets of other transports than TCP lack at least one
// of the two.
static int pktseqi_request_tcp(const pktseqi_request *q) {
    return pktseqi_known[q->known].bits || pktseqi_known[q->known].kind == PKTSEQI_VALUE_PORT;
}

// Returns 1 if a request's column must be in the file. What columns are derived from is required
// only if the file lacks one of these (deriving).
static int pktseqi_request_required(const pktseqi_reader *r, const pktseqi_request *q,
                                    int deriving) {
    return (q->by & PKTSEQI_BY_FIELD) || (r->capture && (q->by & PKTSEQI_BY_RULE)) ||
           (deriving && (q->by & PKTSEQI_BY_DERIVED));
}

// Returns the table's column that a request's cells go to.
static pktseq_column *pktseqi_request_column(const pktseqi_reader *r, const pktseqi_request *q) {
    return &r->table->column[q - r->request - 1];
}

PKTSEQI_COLD

// Adds a column to the requests, which have room for it, unless it is among them; the first one,
// "position", may come a second time, as a feature. Of two fields of one column the stricter check
// of its cells counts.
static void pktseqi_request_add(pktseqi_reader *r, const char *name, pktseqi_value_kind kind,
                                unsigned by) {
    size_t i = 1;
    pktseqi_request *q;
    while (i < r->count && strcmp(r->request[i].name, name) != 0) ++i;
    q = &r->request[i < r->count ? i : r->count];
    if (!q->name) {
        ++r->count;
        q->name = name;
        q->kind = kind;
        q->known = pktseqi_known_find(name);
    }
    q->by |= by;
    if (by == PKTSEQI_BY_FIELD && kind > q->kind) q->kind = kind;
}

// Adds a column that no field describes: its kind is that of the registry.
static void pktseqi_request_known(pktseqi_reader *r, const char *name, unsigned by) {
    pktseqi_request_add(r, name, pktseqi_known[pktseqi_known_find(name)].kind, by);
}

// Adds those of the first 32 known columns whose bit is set.
static void pktseqi_request_bits(pktseqi_reader *r, uint32_t bits, unsigned by) {
    for (size_t k = 0; k < 32; ++k)
        if (bits >> k & 1) pktseqi_request_known(r, pktseqi_known[k].name, by);
}

// Lists the columns that a schema requests, each once: its fields first, since their order is that
// of the table's columns, then what others are derived from, what is kept and what the rule needs.
static pktseq_status pktseqi_request_list(pktseqi_reader *r) {
    const pktseq_schema *schema = r->schema;
    size_t most = pktseqi_plus(pktseqi_plus(schema->field_count, schema->keep_count),
                               PKTSEQI_COLUMNS);
    r->request = (pktseqi_request *)pktseqi_alloc_zeroed(&r->csv->allocator, most,
                                                         sizeof *r->request);
    if (!r->request) return pktseqi_no_memory(r->csv->err);
    pktseqi_request_known(r, "position", PKTSEQI_BY_FIELD);
    for (size_t i = 0; i < schema->field_count; ++i)
        pktseqi_request_add(r, schema->field[i].column, pktseqi_kind_of(&schema->field[i])->value,
                            PKTSEQI_BY_FIELD);
    for (size_t i = 0; i < schema->field_count; ++i)
        pktseqi_request_bits(r, pktseqi_known[pktseqi_known_find(schema->field[i].column)].made_of,
                             PKTSEQI_BY_DERIVED);
    for (size_t i = 0; i < schema->keep_count; ++i)
        pktseqi_request_known(r, schema->keep[i], PKTSEQI_BY_KEEP);
    if (!schema->rule.min_length) return PKTSEQ_OK;
    if (schema->rule.kind == PKTSEQ_RULE_CONNECTION)
        pktseqi_request_bits(r, PKTSEQI_APART_BITS, PKTSEQI_BY_KEEP);
    pktseqi_request_bits(r, pktseqi_rule_needs(&schema->rule), PKTSEQI_BY_RULE);
    return PKTSEQ_OK;
}

// Returns the rank at which a name in a file's header stands for a column, or -1 if it does not: 0
// is exactly its own name; then come the ranks of its aliases, in any case, with outer blanks,
// quotes and a leading '#'.
//   fills    out: 1 if cells of this rank are used where those of the ranks before are empty
static int pktseqi_name_rank(const char *column, const char *alias, const char *name, int *fills) {
    size_t size = strlen(name);
    int rank = 1;
    *fills = 0;
    if (strcmp(column, name) == 0) return 0;
    if (strcmp(column, "position") == 0) return -1;  // its name decides how the file is read
    name = pktseqi_trim(name, &size);
    if (size && *name == '#') ++name, --size;
    name = pktseqi_trim(name, &size);
    if (size > 1 && (*name == '"' || *name == '\'') && name[size - 1] == *name) {
        size -= 2;
        name = pktseqi_trim(name + 1, &size);
    }
    if (pktseqi_same_word(name, size, column, strlen(column))) return 1;
    while (*alias) {
        size_t length = strcspn(alias, "|/+");
        if (length && pktseqi_same_word(name, size, alias, length)) return rank;
        alias += length;
        rank += *alias == '/' || *alias == '+';
        if (*alias && *alias != '|') *fills = *alias == '+';
        alias += *alias != 0;
    }
    return -1;
}

// Finds the cells of a column in the header line: those of its best rank, and, in a capture, those
// of the ranks after it that fill its empty cells. Of several protocols the first is taken; several
// ports fill each other (Wireshark calls TCP's and UDP's the same). A name that occurs more often
// than it may is counted, and refused only if the column is requested: exports repeat others. Of
// one rank PKTSEQI_SOURCES cells are stored, more are only counted.
static void pktseqi_sources_find(pktseqi_reader *r, const char *column, size_t known,
                                 pktseqi_sources *from) {
    int port = pktseqi_known[known].kind == PKTSEQI_VALUE_PORT, first = PKTSEQI_RANKS;
    struct {
        size_t cell[PKTSEQI_SOURCES], cells;
        int fills;
    } of[PKTSEQI_RANKS];
    memset(of, 0, sizeof of);
    memset(from, 0, sizeof *from);
    for (size_t i = 0; i < r->cells; ++i) {
        int fills, rank = pktseqi_name_rank(column, pktseqi_known[known].aliases, r->title[i],
                                            &fills);
        if (rank < 0) continue;
        if (of[rank].cells < PKTSEQI_SOURCES) of[rank].cell[of[rank].cells] = i;
        ++of[rank].cells;
        of[rank].fills = fills;
        if (rank < first) first = rank;
    }
    for (int rank = first; rank < PKTSEQI_RANKS; ++rank) {
        size_t max = rank > 0 && port ? (size_t)PKTSEQI_SOURCES : 1;
        if (rank > first && (!of[rank].fills || !r->capture || first == 0)) continue;
        if (of[rank].cells > max && known != PKTSEQI_COL_PROTOCOL) from->repeated = of[rank].cells;
        for (size_t k = 0; k < of[rank].cells && k < max && from->cells < PKTSEQI_SOURCES; ++k) {
            from->rank[from->cells] = rank;
            from->cell[from->cells++] = of[rank].cell[k];
            if (of[rank].cell[k] >= r->last) r->last = of[rank].cell[k] + 1;
        }
    }
}

// Fails if a column's name occurs more often than it may, so that its cells are ambiguous.
static pktseq_status pktseqi_sources_once(const pktseqi_reader *r, const char *name,
                                          const pktseqi_sources *from) {
    if (!from->repeated) return PKTSEQ_OK;
    return PKTSEQI_CSV_ERROR(r->csv, "found column %q %z times, expected it once", name,
                             from->repeated);
}

// Returns the name of a request's column as the file spells it, where readers of a message look it
// up.
static const char *pktseqi_request_title(const pktseqi_reader *r, const pktseqi_request *q) {
    const pktseqi_sources *from = q->bits ? &r->known[PKTSEQI_COL_WORD] : &q->from;
    return from->cells ? r->title[from->cell[0]] : q->name;
}

// Decides what replaces a column that a capture lacks: flags are read from tcp.flags; res and ns,
// which few exports have, are 0 if all other flags are there; the transport is inferred.
static void pktseqi_request_replace(pktseqi_reader *r, pktseqi_request *q) {
    if (!r->capture || q->kind == PKTSEQI_VALUE_TEXT) return;
    // Under tshark's names the transport has a number for each header on the way to the inner
    // packet, and none in exports without ip.proto; under its own name (rank 0) it is that of this
    // library.
    if (q->known == PKTSEQI_COL_TRANSPORT && q->kind != PKTSEQI_VALUE_FLAG &&
        (!q->from.cells || q->from.rank[0] > 0)) {
        q->from.cells = 0;
        q->inferred = 1;
    }
    if (q->from.cells || !pktseqi_known[q->known].bits) return;
    if (!r->known[PKTSEQI_COL_WORD].cells) {
        if (q->known != PKTSEQI_COL_RES && q->known != PKTSEQI_COL_NS) return;
        for (size_t k = PKTSEQI_COL_FIN; k <= PKTSEQI_COL_CWR; ++k)
            if (!r->known[k].cells) return;
        r->table->notes |= PKTSEQ_READ_NO_RES;
    }
    q->bits = pktseqi_known[q->known].bits;
}

// Fails because columns are missing: lists all of them, and says what to do. A file without
// "position" is read as a capture, so it may be text of any kind.
//   derived    1 if all of them are missing only because features are derived from them
static pktseq_status pktseqi_header_missing(const pktseqi_reader *r, const char *missing,
                                            int several, int derived) {
    const char *advice = !r->capture ? ""
        : ". Needed are names and one row a packet (no flows). In Wireshark right-click Source "
          "Port, Destination Port and Flags in a TCP packet's details, choose Apply as Column, "
          "and export again; or take tshark: " PKTSEQ_TSHARK;
    if (r->capture && r->cells == 1 && !r->last)
        return PKTSEQI_CSV_ERROR(r->csv, "found the text %q, expected a capture (pcap, pcapng) or "
                                 "CSV of one%s", r->title[0], advice);
    return PKTSEQI_CSV_ERROR(r->csv, "column%s %s %s missing%s; found %z column%S, the first is %q"
                             "%s", several ? "s" : "", missing, several ? "are" : "is",
                             derived ? ", of which features are made" : "", r->cells,
                             r->title[0], advice);
}

// Resolves the requests: removes those that need no column and have none; fails for those that do,
// with a list of all that are missing, cut at 300 bytes. Afterwards every request has a cell, bits
// or is inferred, and request[i] is the table's column i - 1.
static pktseq_status pktseqi_request_resolve(pktseqi_reader *r) {
    size_t count = 1, several = 0;
    char list[300];  // err's text is 1,024 bytes, and the advice takes most of them
    pktseqi_text missing = pktseqi_text_fixed(list, sizeof list);
    int deriving = 0, said = 0, derived = 1;
    // A file that was written with derived columns needs none of what they are derived from.
    for (size_t i = 1; i < r->count; ++i)
        deriving |= pktseqi_known[r->request[i].known].made_of && !r->request[i].from.cells;
    for (size_t i = 1; i < r->count; ++i) {
        pktseqi_request *q = &r->request[i];
        int required = pktseqi_request_required(r, q, deriving);
        int text = q->kind == PKTSEQI_VALUE_TEXT;
        int flag = r->capture && !r->flagged && pktseqi_known[q->known].bits;
        // The rule reads the same column as the field: addresses as texts, times as numbers.
        if (r->capture && (q->by & PKTSEQI_BY_RULE) &&
            text != (pktseqi_known[q->known].kind == PKTSEQI_VALUE_TEXT))
            return pktseqi_error(r->csv->err, PKTSEQ_ERROR_ARGUMENT, 0, "the schema has column %q "
                                 "as %s, so a file that has no column \"position\" cannot be cut "
                                 "into sequences", q->name, text ? "text" : "number");
        if (!required && !(q->by & PKTSEQI_BY_KEEP)) continue;
        if (pktseqi_sources_once(r, q->name, &q->from)) return PKTSEQ_ERROR_DATA;
        if (q->from.cells || q->bits || q->inferred) {
            r->request[count++] = *q;
        } else if (required && !pktseqi_known[q->known].made_of && !(flag && said)) {
            said |= flag;  // all ten of them by one name
            derived &= !pktseqi_request_required(r, q, 0);
            pktseqi_put(&missing, several++ ? ", %q" : "%q", flag ? "tcp.flags" : q->name);
        }
    }
    r->count = count;
    return several ? pktseqi_header_missing(r, list, several > 1, derived) : PKTSEQ_OK;
}

// Copies the names of the header line as the file spells them, for messages and to recognise the
// line if it is repeated: the window that holds it moves on.
static pktseq_status pktseqi_header_keep(pktseqi_reader *r) {
    pktseqi_csv *csv = r->csv;
    size_t size;
    r->title = (char **)pktseqi_alloc_zeroed(&csv->allocator, csv->cells, sizeof *r->title);
    for (; r->title && r->cells < csv->cells; ++r->cells) {
        r->title[r->cells] = pktseqi_copy(&csv->allocator, pktseqi_csv_cell(csv, r->cells, &size));
        if (!r->title[r->cells]) return pktseqi_no_memory(csv->err);
    }
    return r->title ? PKTSEQ_OK : pktseqi_no_memory(csv->err);
}

// Reads the header line. A file without a column "position" is a capture, to be cut into sequences.
static pktseq_status pktseqi_header_read(pktseqi_reader *r) {
    pktseq_status status = pktseqi_csv_row(r->csv);
    if (status) return status;
    if (!r->csv->cells)
        return pktseqi_error(r->csv->err, PKTSEQ_ERROR_DATA, 1, "the file is empty, expected a "
                             "line of column names");
    status = pktseqi_header_keep(r);
    if (status) return status;
    pktseqi_sources_find(r, "position", PKTSEQI_COL_POSITION, &r->request[0].from);
    if (pktseqi_sources_once(r, "position", &r->request[0].from)) return PKTSEQ_ERROR_DATA;
    r->capture = !r->request[0].from.cells;
    if (!r->capture) r->table->notes |= PKTSEQ_READ_POSITIONS;
    if (r->capture && r->schema->rule.min_length == 0) {
        r->capture = 0;  // without a rule, how to export packets would be no advice
        return pktseqi_header_missing(r, "\"position\"", 0, 0);
    }
    return PKTSEQ_OK;
}

// Reads the header and finds the cells of each request. From then on csv stores the bounds of cells
// only up to the last one that may be read, and counts the others.
static pktseq_status pktseqi_table_header(pktseqi_reader *r) {
    const pktseqi_sources *word = &r->known[PKTSEQI_COL_WORD];
    pktseq_status status = pktseqi_header_read(r);
    if (status) return status;
    for (size_t i = 0; i < PKTSEQI_COLUMNS; ++i) {
        pktseqi_sources_find(r, pktseqi_known[i].name, i, &r->known[i]);
        r->row[i].text = r->empty;
        r->row[i].rank = -1;
    }
    // A capture with flags in any form tells TCP from the rest by whether a row has them; without
    // any, ports alone count.
    r->flagged = word->cells > 0;
    for (size_t k = PKTSEQI_COL_FIN; k <= PKTSEQI_COL_RES; ++k)
        r->flagged |= r->known[k].cells > 0;
    for (size_t i = 1; i < r->count; ++i) {
        pktseqi_request *q = &r->request[i];
        if (q->known < PKTSEQI_COLUMNS) q->from = r->known[q->known];
        else pktseqi_sources_find(r, q->name, q->known, &q->from);
        pktseqi_request_replace(r, q);
        if (q->bits && pktseqi_sources_once(r, "tcp.flags", word)) return PKTSEQ_ERROR_DATA;
    }
    r->csv->keep = r->last;
    return pktseqi_request_resolve(r);
}

// Sets up a column of the table for each request. column_count counts those that exist so far, so
// that they can be freed after a failure.
static pktseq_status pktseqi_table_columns(pktseqi_reader *r) {
    pktseq_table *table = r->table;
    const pktseq_allocator *allocator = &table->allocator;
    table->column = (pktseq_column *)pktseqi_alloc_zeroed(allocator, r->count,
                                                          sizeof *table->column);
    r->staged = (pktseqi_staged *)pktseqi_alloc(allocator, r->count, sizeof *r->staged);
    if (!table->column || !r->staged) return pktseqi_no_memory(r->csv->err);
    r->request[0].staged = r->staged;
    for (size_t i = 1; i < r->count; ++i) {
        pktseqi_request *q = &r->request[i];
        pktseq_column *column = &table->column[i - 1];
        q->staged = &r->staged[i];
        table->column_count = table->own_columns = i;
        column->name = pktseqi_copy(allocator, q->name);
        if (!column->name) return pktseqi_no_memory(r->csv->err);
        // Checked to be whole, or indices of texts; of packets the registry has decided already.
        q->whole |= q->kind != PKTSEQI_VALUE_NUMBER;
        if (q->kind == PKTSEQI_VALUE_TEXT && !pktseqi_texts_init(&q->texts, allocator))
            return pktseqi_no_memory(r->csv->err);
    }
    return PKTSEQ_OK;
}

PKTSEQI_COLD_END

// Finds the index of a text, which ends with a 0, among the names of a request's column; a new one
// is added. A one-hot column may have as many texts as categories, any other as fit below
// PKTSEQI_LEAF.
static pktseq_status pktseqi_request_intern(pktseqi_reader *r, pktseqi_request *q,
                                            const char *text, size_t size, uint32_t *index) {
    pktseq_column *column = pktseqi_request_column(r, q);
    size_t most = q->by & PKTSEQI_BY_FIELD ? PKTSEQI_MOST_NAMES : PKTSEQI_LEAF;
    *index = 0;
    if (pktseqi_texts_find(&q->texts, column, text, size, index)) return PKTSEQ_OK;
    if (column->name_count == most)
        return PKTSEQI_CSV_ERROR(r->csv,
                                 "column %q: found %q, expected one of at most %z different texts",
                                 pktseqi_request_title(r, q), text, most);
    if (!pktseqi_texts_add(&q->texts, &r->csv->allocator, column, text, size, *index))
        return pktseqi_no_memory(r->csv->err);
    *index = (uint32_t)column->name_count - 1;
    return PKTSEQ_OK;
}

// ---- >>rows: what the cells of a row mean -----------------------------------------------------
//
// In: the cells of one row; out: a value for each request in the staged block, or an error that
// names line, column, what was found and what was expected. In a capture cells depend on each
// other: flags are empty for UDP, ports for ICMP, addresses for IPv6. So for each row of a capture
//   row_load          finds the first filled cell of each known column
//   row_kind          decides what the packet is, or that it is left out
//   row_tunnel        chooses between the addresses of a packet and of one within it
// and for each row of any file
//   row_read          checks every requested cell and stages numbers
//   row_texts         stages texts, once nothing can be wrong with the row any more: a row that
//                     cannot be read leaves no name behind
// A new kind of value is one of pktseqi_value_kind and, if it is more than a range of whole
// numbers, a case of cell_number; a frequent one, of fast_cell.

// Returns a cell of the current row, in a capture without outer blanks. Its bounds are adjusted, so
// that a second call returns the same text.
static char *pktseqi_row_text(pktseqi_reader *r, size_t cell, size_t *size) {
    size_t *bound = r->csv->bound + 2 * cell;
    char *text = pktseqi_csv_cell(r->csv, cell, size);
    if (!r->capture) return text;
    text += pktseqi_trim(text, size) - text;
    text[*size] = 0;
    bound[0] = (size_t)(text - r->csv->data);
    bound[1] = bound[0] + *size;
    return text;
}

// Finds the first cell of each known column that is not empty in the current row of a capture: once
// a row, since several decisions depend on each.
static void pktseqi_row_load(pktseqi_reader *r) {
    for (size_t k = 0; k < PKTSEQI_COLUMNS; ++k) {
        const pktseqi_sources *from = &r->known[k];
        pktseqi_cell *cell = &r->row[k];
        if (!from->cells) continue;  // empty since pktseqi_table_header
        cell->size = 0;
        cell->rank = -1;
        for (size_t c = 0; c < from->cells && !cell->size; ++c) {
            cell->text = pktseqi_row_text(r, from->cell[c], &cell->size);
            if (cell->size) cell->rank = from->rank[c], cell->at = from->cell[c];
        }
    }
}

// Narrows a cell with several values, "10.0.0.1,192.168.0.1", as tshark writes them for a packet
// within a packet, to the last one, the innermost packet's. Returns 1, or 0 for a single value.
//   back    1: to the one before the last
static size_t pktseqi_cell_last(pktseqi_cell *cell, int back) {
    char *comma = strrchr(cell->text, ','), *end = cell->text + cell->size;
    if (!comma) return 0;
    if (back) {
        end = comma;
        *end = 0;
        while (comma > cell->text && comma[-1] != ',') --comma;
    } else {
        ++comma;
    }
    cell->text = comma;
    cell->size = (size_t)(end - comma);
    return 1;
}

// Returns the last number in the cells of ip.proto, or of ipv6.nxt (six), "4,6" or "TCP (6)"; 0 for
// none. In the registry the names of IPv6 have ranks above 1. A protocol of IP has 8 bits.
static unsigned pktseqi_row_protocol(pktseqi_reader *r, int six) {
    const pktseqi_sources *from = &r->known[PKTSEQI_COL_TRANSPORT];
    unsigned value = 0;
    for (size_t c = 0; c < from->cells; ++c) {
        pktseqi_cell cell;
        cell.text = pktseqi_row_text(r, from->cell[c], &cell.size);
        if ((from->rank[c] > 1) != six || !cell.size) continue;
        pktseqi_cell_last(&cell, 0);
        if (!pktseqi_scan(cell.text + strcspn(cell.text, "0123456789"), "d", &value) || value > 255)
            value = 0;
    }
    return value;
}

// Returns 1 if the current row, of ICMP, reports an error and so quotes a packet: by its type (RFC
// 792, 4443, 4861: unreachable, quench, redirect, time exceeded ..), else by the ports that it has.
// For such a message tshark writes the quoted packet's addresses after its own.
static int pktseqi_row_error(const pktseqi_reader *r) {
    const pktseqi_cell *cell = &r->row[PKTSEQI_COL_ICMP_TYPE];
    unsigned type;
    if (!pktseqi_scan(cell->text, "d", &type)) return r->quotes;
    if (cell->rank > 1) return (type >= 1 && type <= 4) || type == 137;
    return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

// Returns the transport of the current row, which is not ICMP; 0 = not known. Filled cells are the
// surest sign: flags are TCP's, udp.srcport and sctp.srcport their own; then the number in the
// innermost IP header; then the protocol's name (number), which is often that of a service.
static unsigned pktseqi_row_transport(pktseqi_reader *r, int number) {
    const pktseqi_cell *port = &r->row[PKTSEQI_COL_SRC_PORT];
    unsigned inner6, transport;
    if (r->has_flags) return PKTSEQI_TCP;
    if (port->rank > 1) return port->rank > 2 ? PKTSEQI_SCTP : PKTSEQI_UDP;  // sctp.srcport, udp.
    inner6 = pktseqi_row_protocol(r, 1);
    transport = inner6 && inner6 != PKTSEQI_IPV4 ? inner6 : pktseqi_row_protocol(r, 0);
    if (!transport && number > 0) transport = (unsigned)number;
    if (transport || !r->has_ports) return transport;
    return !r->flagged || (port->rank > 0 && strncmp(r->title[port->at], "tcp.", 4) == 0)
               ? PKTSEQI_TCP : PKTSEQI_UDP;
}

// Decides what the current row of a capture is: its transport, and whether it has ports and flags.
// Returns the count of rows left out for its reason, or NULL for a row to be read. ICMP comes
// first: ports and flags in its row are those of a packet of TCP or UDP that it quotes.
static size_t *pktseqi_row_kind(pktseqi_reader *r) {
    pktseq_table_counts *counts = &r->table->counts;
    const pktseqi_cell *row = r->row, *source = &row[PKTSEQI_COL_SRC_IP];
    const pktseqi_cell *type = &row[PKTSEQI_COL_ICMP_TYPE];
    int number = pktseqi_name_protocol(row[PKTSEQI_COL_PROTOCOL].text,
                                       row[PKTSEQI_COL_PROTOCOL].size);
    int icmp = number > 0 && pktseqi_transport_icmp((unsigned)number);
    r->has_ports = row[PKTSEQI_COL_SRC_PORT].size || row[PKTSEQI_COL_DST_PORT].size;
    r->has_flags = row[PKTSEQI_COL_WORD].size > 0;
    for (size_t k = PKTSEQI_COL_FIN; k <= PKTSEQI_COL_RES; ++k) r->has_flags |= row[k].size > 0;
    r->flags = 0;
    r->quotes = r->error = r->flags_read = 0;
    if (icmp || type->size) {
        r->transport = type->rank > 1 ? PKTSEQI_ICMPV6 : PKTSEQI_ICMP;
        if (icmp) r->transport = (unsigned)number;
        r->quotes = r->has_ports || r->has_flags;
        r->error = pktseqi_row_error(r);
        r->has_ports = r->has_flags = 0;
    } else {
        r->transport = pktseqi_row_transport(r, number);
    }
    r->tcp = r->transport == PKTSEQI_TCP && (r->has_ports || r->has_flags);
    // A file without ports and flags is read as TCP, except for rows that are surely not.
    if (r->tcp_only && !r->tcp &&
        (icmp || type->size || r->flagged || r->known[PKTSEQI_COL_SRC_PORT].cells ||
         r->known[PKTSEQI_COL_DST_PORT].cells))
        return &counts->not_tcp;
    if (r->transport || (number >= 0 && !pktseqi_is_ethernet(source->text, source->size) &&
                         (source->size || !r->known[PKTSEQI_COL_SRC_IP].cells)))
        return NULL;
    return &counts->not_ip;
}

// Selects the inner packet's addresses in a row that has both of IPv4 and both of IPv6, which is a
// tunnel if they differ. The inner ones are those whose protocol is the packet's own; if that is
// not known, those of IPv6, which is carried in IPv4 far more often than the other way round.
// row_load has taken the first column of each, that of IPv4; protocol 4 in ipv6.nxt means that IPv4
// is the inner one.
static void pktseqi_row_tunnel(pktseqi_reader *r) {
    unsigned inner4, inner6;
    r->tunnel = 0;
    for (size_t k = PKTSEQI_COL_SRC_IP; k <= PKTSEQI_COL_DST_IP; ++k) {
        const pktseqi_sources *from = &r->known[k];
        const pktseqi_cell *cell = &r->row[k];
        size_t size;
        const char *other;
        if (from->cells < 2 || !cell->size || cell->at != from->cell[0]) return;
        other = pktseqi_row_text(r, from->cell[1], &size);
        if (!size || strcmp(other, cell->text) == 0) return;
    }
    r->tunnel = 1;
    inner4 = pktseqi_row_protocol(r, 0);
    inner6 = pktseqi_row_protocol(r, 1);
    if (inner6 == PKTSEQI_IPV4 || (inner4 && inner4 == r->transport && inner6 && inner6 != inner4))
        return;
    for (size_t k = PKTSEQI_COL_SRC_IP; k <= PKTSEQI_COL_DST_IP; ++k)
        r->row[k].text = pktseqi_row_text(r, r->known[k].cell[1], &r->row[k].size);
}

// Finds the cell of a request in the current row. Ports, flags and the like that this kind of
// packet does not have are "0", so that a CSV gives a model the same as a capture. Of several
// values the last one counts under tshark's names (rank above 0): a column under its own name was
// written by this library or the reference. For numbers see cell_read.
static void pktseqi_row_cell(pktseqi_reader *r, pktseqi_request *q) {
    unsigned is = pktseqi_known[q->known].is;
    pktseqi_cell *cell = &q->cell;
    int lacks;
    if (!r->capture || q->known == PKTSEQI_COLUMNS) {
        cell->text = pktseqi_row_text(r, q->from.cell[0], &cell->size);
        return;
    }
    *cell = r->row[q->known];
    lacks = pktseqi_known[q->known].bits ? !r->tcp
            : pktseqi_request_tcp(q) && !r->has_ports && !r->has_flags;
    if (is & PKTSEQI_IS_ICMP) {
        cell->size = strcspn(cell->text, ",");  // the message's own, before that of a quoted one
        cell->text[cell->size] = 0;
        lacks = !cell->size;
    }
    if (lacks) {
        cell->text = r->zero;
        cell->size = 1;
    } else if (q->kind == PKTSEQI_VALUE_TEXT && cell->rank > 0 &&
               ((is & PKTSEQI_IS_ADDRESS) || pktseqi_request_tcp(q))) {
        r->table->counts.many_values += pktseqi_cell_last(cell, r->error);
    }
}

// Fails because of a cell: names the line, the column as the file spells it, what was found and
// what was expected.
static pktseq_status pktseqi_cell_error(const pktseqi_reader *r, const pktseqi_request *q,
                                        const char *found, const char *expected) {
    return PKTSEQI_CSV_ERROR(r->csv, "column %q: found %q, expected %s",
                             pktseqi_request_title(r, q), found, expected);
}

// Fails because a cell is empty.
static pktseq_status pktseqi_cell_empty(const pktseqi_reader *r, const pktseqi_request *q) {
    int tcp = r->capture && (q->bits || pktseqi_request_tcp(q));
    return PKTSEQI_CSV_ERROR(r->csv, "column %q: found an empty cell, expected %s%s",
                             pktseqi_request_title(r, q),
                             q->kind == PKTSEQI_VALUE_TEXT ? "text" : "a number",
                             tcp ? " (only a packet that is not TCP may have none, and then all "
                                   "its ports and flags are empty)" : "");
}

// Returns 1 for a whole number from 0 to max, which is at most 2^53. Without floor, for which x86
// processors had no instruction before SSE4.
static int pktseqi_whole(double value, double max) {
    return value >= 0 && value <= max && (double)(int64_t)value == value;
}

// Returns 1 if a request takes the time of a capture, which may be a date.
static int pktseqi_request_clock(const pktseqi_reader *r, const pktseqi_request *q) {
    return r->capture && q->known == PKTSEQI_COL_TIMESTAMP && q->kind == PKTSEQI_VALUE_NUMBER;
}

// Reads the cell of a request as a number of its kind; 0 = it is none. Flags may be words, the
// reserved flags of tshark a number of three bits, identifiers of ICMPv6 hexadecimal, times of a
// capture dates.
static int pktseqi_cell_number(pktseqi_reader *r, const pktseqi_request *q, double *value) {
    const double max = pktseqi_value_kinds[q->kind].max;  // 0: any number
    const char *text = q->cell.text;
    size_t size = q->cell.size;
    if (q->kind == PKTSEQI_VALUE_FLAG && *text >= 'A') {
        int word = pktseqi_word_find(text, size, "Not set|False|Set|True");
        *value = word >= 2;
        return word >= 0;
    }
    if (pktseqi_request_clock(r, q)) return pktseqi_time_parse(&r->notation, text, size, value);
    if (!pktseqi_number_parse(text, size, value)) {
        if (!r->capture || q->known != PKTSEQI_COL_ICMP_ID || strncmp(text, "0x", 2) != 0 ||
            size == 2 || strspn(text + 2, "0123456789abcdefABCDEF") != size - 2)
            return 0;
        *value = (double)strtoul(text, NULL, 16);  // as tshark writes that of ICMPv6
        if (*value > 65535) return 0;
    }
    if (q->known == PKTSEQI_COL_RES && max == 1 && q->cell.rank > 0 && pktseqi_whole(*value, 7))
        *value = *value > 0;  // of three bits
    return max == 0 || pktseqi_whole(*value, max);
}

// Reads tcp.flags of the current row for a request that takes its flag from there: once a row. A
// packet that is not TCP has none; one that is TCP by its ports, but has no flags, is damaged or
// was cut off before them.
static pktseq_status pktseqi_row_flags(pktseqi_reader *r, const pktseqi_request *q) {
    pktseqi_cell cell = r->row[PKTSEQI_COL_WORD];
    if (!r->tcp) return PKTSEQ_OK;
    if (!cell.size)
        return r->known[PKTSEQI_COL_WORD].cells || !r->has_flags ? pktseqi_cell_empty(r, q)
                                                                 : PKTSEQ_OK;
    if (r->flags_read++) return PKTSEQ_OK;
    if (cell.text[0] >= '0' && cell.text[0] <= '9')
        r->table->counts.many_values += pktseqi_cell_last(&cell, 0);
    if (pktseqi_flags_parse(&r->notation, cell.text, cell.size, &r->flags)) return PKTSEQ_OK;
    return pktseqi_cell_error(r, q, cell.text, "flags as a number, such as 0x0018 or 24, up to "
                              "0x0fff");
}

// Checks the cell of a request and reads its number. Of several values of a port or flag the last
// one counts; a cell that is valid as it is, as nearly all are, is not searched for commas.
static pktseq_status pktseqi_cell_read(pktseqi_reader *r, pktseqi_request *q, double *value) {
    pktseqi_cell *cell = &q->cell;
    const char *expected = pktseqi_value_kinds[q->kind].expected;
    int text = q->kind == PKTSEQI_VALUE_TEXT;
    while (cell->size) {
        if (text ? pktseqi_utf8(cell->text, cell->size) : pktseqi_cell_number(r, q, value))
            return PKTSEQ_OK;
        if (cell->rank <= 0 || !pktseqi_request_tcp(q) || !pktseqi_cell_last(cell, 0)) {
            if (pktseqi_request_clock(r, q))
                expected = "seconds as a finite number, or a date such as 2024-03-05 10:00:00.25 "
                           "(tshark: -e frame.time_epoch)";
            return pktseqi_cell_error(r, q, cell->text, expected);
        }
        ++r->table->counts.many_values;
    }
    return text && !pktseqi_request_required(r, q, 0) ? PKTSEQ_OK : pktseqi_cell_empty(r, q);
}

// Checks all requested cells of the current row, stages their numbers as the table's next row and
// leaves texts in the requests. A row that fails leaves nothing: what it staged is overwritten by
// the next one. `at` is below PKTSEQI_BLOCK, since the caller flushes a full block. Request 0 is
// the position, which a capture does not have.
static pktseq_status pktseqi_row_read(pktseqi_reader *r) {
    size_t at = r->table->rows - r->flushed;
    for (size_t i = (size_t)r->capture; i < r->count; ++i) {
        pktseqi_request *q = &r->request[i];
        pktseq_status status = PKTSEQ_OK;
        double value = 0;
        if (q->bits) {
            status = pktseqi_row_flags(r, q);
            value = (r->flags & q->bits) != 0;
        } else if (q->inferred) {
            value = r->transport;
        } else {
            pktseqi_row_cell(r, q);
            status = pktseqi_cell_read(r, q, &value);
        }
        if (i == 0 && status == PKTSEQ_OK && r->table->rows == 0 && value != 0)
            status = pktseqi_cell_error(r, q, q->cell.text, "0, for the first row begins a "
                                        "sequence");
        if (status) return status;
        if (q->whole) q->staged->text[at] = (uint32_t)value;
        else q->staged->number[at] = value;
    }
    return PKTSEQ_OK;
}

// Stages the texts of the current row after row_read has accepted it: names stay in a column.
static pktseq_status pktseqi_row_texts(pktseqi_reader *r) {
    size_t at = r->table->rows - r->flushed;
    pktseq_status status = PKTSEQ_OK;
    for (size_t i = 1; i < r->count && status == PKTSEQ_OK; ++i) {
        pktseqi_request *q = &r->request[i];
        if (q->kind == PKTSEQI_VALUE_TEXT)
            status = pktseqi_request_intern(r, q, q->cell.text, q->cell.size,
                                            &q->staged->text[at]);
    }
    return status;
}

// Returns 1 if the current row repeats the header line, as in concatenated files. Nearly every row
// differs in its first cell, so this costs one comparison a row.
static int pktseqi_row_repeats(pktseqi_reader *r) {
    if (r->csv->cells != r->cells) return 0;
    for (size_t i = 0; i < r->csv->keep; ++i) {
        size_t size, length = strlen(r->title[i]);
        const char *cell = pktseqi_row_text(r, i, &size);
        const char *title = pktseqi_trim(r->title[i], &length);
        if (size != length || memcmp(cell, title, size) != 0) return 0;
    }
    return 1;
}

// Checks the number of cells in the current row. In a capture surplus cells may be empty, as after
// a separator at the end of each row, and a last one without a name in the header may be missing.
static pktseq_status pktseqi_row_count(pktseqi_reader *r) {
    const pktseqi_csv *csv = r->csv;
    int more = csv->cells > r->cells;
    if (csv->cells == r->cells) return PKTSEQ_OK;
    if (r->capture && (more ? csv->filled <= r->cells
                            : csv->cells + 1 == r->cells && r->title[csv->cells][0] == 0))
        return PKTSEQ_OK;
    return PKTSEQI_CSV_ERROR(csv, "found %z cell%S, expected %z as in the header%s", csv->cells,
                             r->cells,
                             r->capture && more ? " (does a cell hold the separator? tshark quotes "
                                                  "them with -E quote=d)" : "");
}

// ---- >>fast: usual rows of a file with positions, in one pass ---------------------------------
//
// In: the window of >>csv; out: rows in the staged block, without being split into cells first.
// Stops at the first row that is unusual in any way: >>rows reads that one, then fast_rows resumes.

// Prepares the fast path if the file is fit for it: it has positions (what a cell of a capture
// means depends on the row's other cells), at most 4096 cells a row, none of them requested twice,
// and a separator that cannot be part of a number. 4096 bounds what a header can have allocated,
// and what it costs to read a row twice that is unusual at its end.
static pktseq_status pktseqi_fast_open(pktseqi_reader *r) {
    r->fast = !r->capture && r->cells <= 4096 && !strchr("0123456789-.", r->csv->separator);
    if (!r->fast) return PKTSEQ_OK;
    r->by_cell = (pktseqi_request **)pktseqi_alloc_zeroed(&r->csv->allocator, r->cells,
                                                          sizeof *r->by_cell);
    if (!r->by_cell) return pktseqi_no_memory(r->csv->err);
    for (size_t i = 0; i < r->count; ++i) {
        size_t cell = r->request[i].from.cell[0];
        r->fast &= !r->by_cell[cell];
        r->by_cell[cell] = &r->request[i];
    }
    return PKTSEQ_OK;
}

// Reads a whole number of at most eight digits at text. Returns where it ends, or NULL if there is
// none; a longer one ends within its digits, so that the row is read the general way.
static const char *pktseqi_fast_whole(const char *text, uint32_t *value) {
    const char *p = text;
    for (*value = 0; *p >= '0' && *p <= '9' && p < text + 8; ++p)
        *value = 10 * *value + (uint32_t)(*p - '0');
    return p == text ? NULL : p;
}

// Returns where an unquoted cell ends: at the next separator or control character below 16. There
// is one, for the row ends. (Eight characters at a time, by arithmetic on 64-bit words, were no
// faster with gcc, and a tenth slower with clang.)
static const char *pktseqi_fast_end(const char *p, char separator) {
    while (*p != separator && (unsigned char)*p >= 16) ++p;
    return p;
}

// Reads the cell that begins at p into place `at` of the block. Returns where it ends, or NULL if
// it is unusual: then the caller abandons the row, whatever was written.
static const char *pktseqi_fast_cell(const pktseqi_reader *r, const pktseqi_request *q,
                                     const char *p, size_t at) {
    double *number = &q->staged->number[at];
    uint32_t *whole = &q->staged->text[at], position;
    const char *end;
    switch (q->kind) {
    case PKTSEQI_VALUE_NUMBER:
        return pktseqi_number_scan(p, r->csv->data + r->csv->size, number);
    case PKTSEQI_VALUE_FLAG:
        *whole = (uint32_t)(*p - '0');
        return *p == '0' || *p == '1' ? p + 1 : NULL;
    case PKTSEQI_VALUE_PORT:
        end = pktseqi_fast_whole(p, whole);
        return *whole <= 65535 ? end : NULL;
    case PKTSEQI_VALUE_POSITION:
        end = pktseqi_fast_whole(p, &position);
        *number = position;
        return end;
    case PKTSEQI_VALUE_TEXT: break;
    }
    end = pktseqi_fast_end(p, r->csv->separator);
    if (*p == '"' || (end == p && (q->by & PKTSEQI_BY_FIELD)) ||
        !pktseqi_texts_find(&q->texts, pktseqi_request_column(r, q), p, (size_t)(end - p), whole))
        return NULL;
    return end;
}

// Reads a usual row in one pass, straight into the block: no quotes, every cell valid, texts that
// the column has. Returns where the next row begins, or NULL if anything is unusual: then the
// general path, which knows every case and every error, reads the row again. 72 MB of a file with
// 19 columns, 16 of them requested, take 0.12 CPU seconds by this path and 0.38 without it. (A fast
// path for captures without quotes made these 2.3 times as fast; but tshark quotes.)
static const char *pktseqi_fast_row(const pktseqi_reader *r, const char *p) {
    const char separator = r->csv->separator;
    const size_t at = r->table->rows - r->flushed;
    for (size_t i = 0; i < r->cells; ++i) {
        if (r->by_cell[i]) p = pktseqi_fast_cell(r, r->by_cell[i], p, at);
        else p = *p == '"' ? NULL : pktseqi_fast_end(p, separator);
        if (!p) return NULL;
        if (i + 1 < r->cells) {
            if (*p++ != separator) return NULL;
        } else {
            p += *p == '\r';
            if (*p++ != '\n') return NULL;
        }
    }
    return p;
}

// Reads rows by the fast path until the window or the block ends or a row is unusual. Not the
// file's first row, whose position has to be 0, and only rows that end in the window: beyond its
// last line end (r->whole) only the zero after the window would end a cell.
static void pktseqi_fast_rows(pktseqi_reader *r) {
    pktseqi_csv *csv = r->csv;
    if (!r->fast || !r->table->rows) return;
    if (r->looked != csv->fills) {  // once a window: a long last row is slow to search
        r->looked = csv->fills;
        for (r->whole = csv->size; r->whole && csv->data[r->whole - 1] != '\n';) --r->whole;
    }
    while (csv->at < r->whole && r->table->rows < r->capacity) {
        const char *next = pktseqi_fast_row(r, csv->data + csv->at);
        if (!next) break;
        csv->at = (size_t)(next - csv->data);
        ++csv->next_line;
        ++r->table->counts.packets;
        ++r->table->rows;
    }
}

// ---- >>table: reading files, selecting sequences ----------------------------------------------
//
// The one way from a file to a table, whether from memory, a stream or a path:
//   table_from        checks arguments, tells a capture from CSV by its first bytes
//   csv_read          header, then table_rows: blocks of rows, flushed to the columns when full
//   packets_read      the same for pcap and pcapng, see >>packets
//   table_finish      cuts a capture into sequences and makes derived columns, see >>sequences
//
// A row is checked as a whole before anything of it reaches the table. Nothing that a file says is
// trusted: cells are bounded by csv's window, texts are UTF-8, ports, flags and positions are in
// their ranges, and memory grows with what was read, never by what a header or a number promises.

// Makes source_row, with room for (room) rows, unless the table has it: until here the rows of the
// table are those of the file. 0 = no memory.
static int pktseqi_source_rows(pktseq_table *table, size_t room) {
    if (table->source_row) return 1;
    table->source_row = (uint32_t *)pktseqi_alloc_large(&table->allocator, room,
                                                        sizeof *table->source_row);
    for (size_t row = 0; table->source_row && row < table->rows; ++row)
        table->source_row[row] = (uint32_t)row;
    return table->source_row != NULL;
}

// Stores which row of the file the table's next one is, once a row has been left out: a table of
// all rows needs no such list. After the last row there may be no room: then only the list is made.
static pktseq_status pktseqi_table_source(pktseqi_reader *r) {
    pktseq_table *table = r->table;
    if (table->counts.packets - 1 > UINT32_MAX)
        return pktseqi_error(r->csv->err, PKTSEQ_ERROR_DATA, 0,
                             "found more rows than 4294967296, expected fewer");
    if (!pktseqi_source_rows(table, r->room)) return pktseqi_no_memory(r->csv->err);
    if (table->rows < r->room)
        table->source_row[table->rows] = (uint32_t)(table->counts.packets - 1);
    return PKTSEQ_OK;
}

// Begins a sequence at each of the (count) staged positions, the first of which is that of `row`,
// that is 0. `start` has room for one more, where the last sequence ends. 0 = no memory.
static int pktseqi_table_starts(pktseqi_reader *r, size_t row, size_t count) {
    pktseq_table *table = r->table;
    size_t most = table->sequences + count + 1;
    if (most > r->start_capacity && !pktseqi_grow(&table->allocator, &table->start,
                                                  &r->start_capacity, table->sequences, most,
                                                  sizeof *table->start))
        return 0;
    for (size_t k = 0; k < count; ++k) {
        double position = r->request[0].staged->number[k];
        if (position == 0) table->start[table->sequences++] = row + k;
        else if (position != r->position + 1) ++table->position_gaps;
        r->position = position;
    }
    return 1;
}

// Appends the staged rows to the columns and makes room for the next block, or for (more) rows.
// 0 = no memory.
static int pktseqi_table_flush(pktseqi_reader *r, size_t more) {
    pktseq_table *table = r->table;
    size_t rows = r->flushed, count = table->rows - rows, past = table->rows + PKTSEQI_BLOCK;
    if (past > r->room) {
        size_t room = pktseqi_next_capacity(r->room, more > past ? more : past);
        if (!pktseqi_table_grow(table, rows, room)) return 0;
        r->room = room;
    }
    for (size_t i = 1; i < r->count && count; ++i) {
        const pktseqi_request *q = &r->request[i];
        if (!pktseqi_column_append(&table->allocator, &table->column[i - 1], rows, r->room,
                                   q->staged, q->whole, count))
            return 0;
    }
    if (!r->capture && !pktseqi_table_starts(r, rows, count)) return 0;
    r->flushed = table->rows;
    r->capacity = past;
    return 1;
}

// Fails if too many rows are unreadable, or none is left. Unless the schema has another share, one
// in a hundred may be, and three of a short file, or one in ten of fewer than 40 rows: a last line
// that is cut off should not refuse a file, and a file of something else must not pass for a short
// one. The error is that of the first such row.
static pktseq_status pktseqi_rows_enough(pktseqi_reader *r) {
    const pktseq_table_counts *counts = &r->table->counts;
    double share = r->schema->bad_rows == 0 ? 0.01 : r->schema->bad_rows;
    double few = counts->packets < 40 ? (double)(counts->packets / 10) : 3;
    double most = share * (double)counts->packets;
    size_t line = r->csv->line;
    if (most < few && share > 0) most = few;
    if (counts->bad_rows && (r->table->rows == 0 || !((double)counts->bad_rows <= most))) {
        pktseqi_error(r->csv->err, PKTSEQ_ERROR_DATA, 0, "%s (%z of %z rows cannot be read)",
                      r->first.text, counts->bad_rows, counts->packets);
        r->csv->err->line = r->first.line;
        return PKTSEQ_ERROR_DATA;
    }
    if (r->table->rows) return PKTSEQ_OK;
    return pktseqi_error(r->csv->err, PKTSEQ_ERROR_DATA, line, "found no %s",
                         counts->not_tcp
                             ? "row with TCP ports and flags after the header, expected TCP packets"
                         : counts->not_ip
                             ? "row with addresses of IP after the header, expected packets"
                             : "rows after the header, expected packets (did the filter of the "
                               "export let nothing through?)");
}

// Leaves out the current row of a capture, which cannot be read, and keeps the error of the first
// one. Reading ends early after 1000 bad rows that are more than half of all, rather than at the
// end of a gigabyte of something else. In a file with positions a bad row is an error: without it
// rows would follow each other that do not.
static pktseq_status pktseqi_row_bad(pktseqi_reader *r, pktseq_status status) {
    pktseq_table_counts *counts = &r->table->counts;
    if (status != PKTSEQ_ERROR_DATA || !r->capture) return status;
    if (counts->bad_rows++ == 0) {
        r->first = *r->csv->err;
        counts->bad_line = r->first.line;
    }
    if (counts->bad_rows <= 1000 || counts->bad_rows <= counts->packets / 2) return PKTSEQ_OK;
    return pktseqi_rows_enough(r);
}

// Returns how many rows to make room for. At first, if the input's size is known, as many as it has
// if all lines are as long as those of the first window, and 2 % more, so that columns are seldom
// copied; but no more than rows of two bytes a cell, as empty lines are no rows. What is too much
// is released at the end. Later, or for a pipe: half as many again.
static size_t pktseqi_table_more(const pktseqi_reader *r) {
    const pktseqi_csv *csv = r->csv;
    size_t most = csv->expect / (2 * r->cells), lines = 0, rows;
    const char *p = csv->data, *end = csv->data + csv->size;
    if (r->room || csv->expect < csv->size) return pktseqi_next_capacity(r->room, 1024);
    for (; (p = (const char *)memchr(p, '\n', (size_t)(end - p))) != NULL; ++p) ++lines;
    rows = (size_t)(1.02 * (double)lines * ((double)csv->expect / (double)csv->size));
    return (rows < most ? rows : most) + 64;
}

// Reads the current row into the table, or counts why it is left out: it repeats the header, is not
// IP, is not TCP although only TCP is read, or cannot be read.
static pktseq_status pktseqi_table_row(pktseqi_reader *r) {
    pktseq_table_counts *counts = &r->table->counts;
    pktseq_status status;
    if (r->capture && pktseqi_row_repeats(r)) {
        ++counts->headers;
        return PKTSEQ_OK;
    }
    status = pktseqi_row_count(r);
    if (status == PKTSEQ_OK && r->capture) {
        size_t *left_out;
        pktseqi_row_load(r);
        left_out = pktseqi_row_kind(r);
        if (left_out) {
            ++*left_out;
            return PKTSEQ_OK;
        }
        pktseqi_row_tunnel(r);
    }
    if (status == PKTSEQ_OK) status = pktseqi_row_read(r);
    if (status) return pktseqi_row_bad(r, status);
    status = pktseqi_row_texts(r);
    counts->tunnels += (size_t)r->tunnel;
    counts->quotes += (size_t)r->quotes;
    // Rows are the file's rows as long as none was left out: then counts->packets, which counts
    // this one already, is one more than the rows before.
    if (status == PKTSEQ_OK && counts->packets > r->table->rows + 1)
        status = pktseqi_table_source(r);
    r->table->rows += status == PKTSEQ_OK;
    return status;
}

// Leaves out a torn row of a capture.
static pktseq_status pktseqi_table_torn(pktseqi_reader *r) {
    pktseq_status status = pktseqi_csv_skip(r->csv);
    if (status) return status;
    ++r->table->counts.packets;
    return pktseqi_row_bad(r, PKTSEQ_ERROR_DATA);
}

// Reads all rows after the header: by turns as many as the fast path can, and one the general way.
static pktseq_status pktseqi_table_rows(pktseqi_reader *r) {
    for (;;) {
        pktseq_status status;
        pktseqi_fast_rows(r);
        status = pktseqi_csv_row(r->csv);
        if (status && r->capture && r->csv->torn) {
            status = pktseqi_table_torn(r);
            if (status == PKTSEQ_OK) continue;
        }
        if (status) return status;
        if (!r->csv->cells) return pktseqi_rows_enough(r);
        ++r->table->counts.packets;
        if (r->table->rows == r->capacity && !pktseqi_table_flush(r, pktseqi_table_more(r)))
            return pktseqi_no_memory(r->csv->err);
        status = pktseqi_table_row(r);
        if (status) return status;
    }
}

// Completes a table whose rows have been read: cuts a CSV without positions into sequences (packets
// of a pcap were tracked while they were read), derives the columns that are missing, and releases
// surplus room.
static pktseq_status pktseqi_table_finish(pktseqi_reader *r) {
    pktseq_table *table = r->table;
    const pktseq_rule *rule = r->capture && !table->capture.frames ? &r->schema->rule : NULL;
    pktseq_status status = pktseq_table_track(table, rule, r->schema, r->csv->err);
    if (status == PKTSEQ_OK && r->room - table->rows > table->rows / 8)
        pktseqi_table_grow(table, table->rows, table->rows);
    return status;
}

PKTSEQI_COLD

static pktseq_status pktseqi_packets_read(pktseqi_reader *r);

// Reads the columns of a table from CSV, whose first window has been read.
static pktseq_status pktseqi_csv_read(pktseqi_reader *r) {
    pktseq_table *table = r->table;
    pktseq_status status = PKTSEQ_OK;
    if (!r->csv->separator) status = pktseqi_csv_guess(r->csv);
    if (status == PKTSEQ_OK) status = pktseqi_table_header(r);
    if (status == PKTSEQ_OK) status = pktseqi_table_columns(r);
    if (status == PKTSEQ_OK) status = pktseqi_fast_open(r);
    if (status == PKTSEQ_OK) status = pktseqi_table_rows(r);
    if (status == PKTSEQ_OK && !pktseqi_table_flush(r, 0)) status = pktseqi_no_memory(r->csv->err);
    if (status) return status;
    if (r->notation.unit > 0) table->notes |= PKTSEQ_READ_SCALED;
    if (!r->capture) table->start[table->sequences] = table->rows;
    // Also for rows left out after the last one that was kept.
    return table->counts.packets > table->rows ? pktseqi_table_source(r) : PKTSEQ_OK;
}

// Frees what only reading needs. It is freed before sequences are made, which takes memory of its
// own: the peak is the larger of the two.
static void pktseqi_reader_free(pktseqi_reader *r) {
    const pktseq_allocator *allocator = &r->csv->allocator;
    pktseqi_free(allocator, r->by_cell);
    pktseqi_free_names(allocator, r->title, r->cells);
    pktseqi_free(allocator, r->csv->data);
    pktseqi_free(allocator, r->csv->bound);
    for (size_t i = 1; i < r->count; ++i) {
        pktseqi_free(allocator, r->request[i].texts.tree.node);
        pktseqi_free(allocator, r->request[i].texts.seen);
    }
    pktseqi_free(allocator, r->staged);
    pktseqi_free(allocator, r->request);
}

// Checks the arguments of a call that reads a table, and empties the table.
//   bad    what is wrong with the input, or NULL
static pktseq_status pktseqi_table_check_input(pktseq_table *table, const char *bad,
                                               const pktseq_schema *schema, pktseq_error *err) {
    if (!table) return pktseqi_bad_argument(err, "table is NULL");
    memset(table, 0, sizeof *table);
    return bad ? pktseqi_bad_argument(err, bad) : pktseqi_schema_check_reading(schema, err);
}

// Reads a table from a stream: the common part of reading memory, streams and files. A capture is
// distinguished from CSV by its first bytes. After a failure the table is empty.
//   expect    bytes of the stream, 0 = unknown; decides only how much room is made at first
static pktseq_status pktseqi_table_from(pktseq_table *table, const char *bad,
                                        pktseq_read_fn read_fn, void *user_data, size_t expect,
                                        const pktseq_schema *schema,
                                        const pktseq_allocator *allocator, pktseq_error *err) {
    pktseqi_reader r;
    pktseqi_csv csv;
    pktseq_error own;  // needed for first_bad, also if err is NULL
    pktseq_status status = pktseqi_table_check_input(table, bad, schema, err);
    if (status) return status;
    pktseqi_ok(&own);
    memset(&csv, 0, sizeof csv);
    csv.allocator = table->allocator = pktseqi_allocator(allocator);
    csv.err = &own;
    csv.separator = schema->separator;
    csv.read_fn = read_fn;
    csv.user_data = user_data;
    csv.expect = expect;
    memset(&r, 0, sizeof r);
    r.csv = &csv;
    r.table = table;
    r.schema = schema;
    r.tcp_only = schema->rule.tcp_only || schema->rule.reference_names;
    r.notation.unit = -1;
    r.zero[0] = '0';
    status = pktseqi_request_list(&r);
    if (status == PKTSEQ_OK) status = pktseqi_csv_open(&csv);
    if (status == PKTSEQ_OK)
        status = pktseq_capture_magic(csv.data, csv.size) ? pktseqi_packets_read(&r)
                                                          : pktseqi_csv_read(&r);
    pktseqi_reader_free(&r);
    if (status == PKTSEQ_OK) status = pktseqi_table_finish(&r);
    if (status == PKTSEQ_OK && table->counts.bad_rows)
        memcpy(table->first_bad, r.first.text, sizeof table->first_bad - 1);
    if (status == PKTSEQ_OK) pktseqi_ok(&own);  // the end of a capture is no error, either
    if (err) *err = own;
    if (status) pktseq_table_free(table);
    return status;
}

PKTSEQ_DEF pktseq_status pktseq_table_parse(pktseq_table *table, const void *data, size_t size,
                                            const pktseq_schema *schema,
                                            const pktseq_allocator *allocator, pktseq_error *err) {
    pktseqi_bytes bytes;
    bytes.data = (const unsigned char *)data;
    bytes.size = size;
    bytes.used = 0;
    return pktseqi_table_from(table, !data && size ? "data is NULL" : NULL, pktseqi_bytes_read,
                              &bytes, size, schema, allocator, err);
}

PKTSEQ_DEF pktseq_status pktseq_table_stream(pktseq_table *table, pktseq_read_fn read_fn,
                                             void *user_data, const pktseq_schema *schema,
                                             const pktseq_allocator *allocator,
                                             pktseq_error *err) {
    return pktseqi_table_from(table, read_fn ? NULL : "read_fn is NULL", read_fn, user_data, 0,
                              schema, allocator, err);
}

#ifndef PKTSEQ_NO_STDIO
// Reads from a FILE: a pktseq_read_fn. fread returns less only at the end or after a failure.
static size_t pktseqi_file_bytes(void *user_data, void *to, size_t size, int *failed) {
    size_t got = fread(to, 1, size, (FILE *)user_data);
    if (got < size && ferror((FILE *)user_data)) *failed = 1;
    return got;
}

// Returns how many bytes a file has from where it stands; 0 for what has no end that can be seen,
// such as a pipe, or is larger than a long says: then room is made as rows come.
static size_t pktseqi_file_size(FILE *file) {
    long at = ftell(file), end;
    if (at < 0 || fseek(file, 0, SEEK_END) != 0) return 0;
    end = ftell(file);
    return fseek(file, at, SEEK_SET) == 0 && end > at ? (size_t)(end - at) : 0;
}

PKTSEQ_DEF pktseq_status pktseq_table_read(pktseq_table *table, const char *path,
                                           const pktseq_schema *schema,
                                           const pktseq_allocator *allocator, pktseq_error *err) {
    const char *bad = path ? NULL : "path is NULL";
    pktseq_status status = pktseqi_table_check_input(table, bad, schema, err);
    FILE *file;
    if (status) return status;
    errno = 0;
    file = pktseqi_fopen(path, "rb");
    if (!file) return pktseqi_not_opened(err, path);
    status = pktseqi_table_from(table, NULL, pktseqi_file_bytes, file, pktseqi_file_size(file),
                                schema, allocator, err);
    fclose(file);
    return pktseqi_error_in(err, status, path);
}
#endif

// Counts the packets of the file that are not in the table, by all reasons that there are.
static size_t pktseqi_counts_left_out(const pktseq_table_counts *c) {
    return c->not_tcp + c->not_ip + c->bad_rows + c->headers + c->dropped + c->remainder +
           c->attacks;
}

// ---- tables that a program may have filled

// Checks what every reader of a table relies on, as a table may be filled by hand, in constant time
// a column. The two checks after this one pass over the rows, for callers that rely on them.
static pktseq_status pktseqi_table_check(const pktseq_table *table, pktseq_error *err) {
    if (!table || !table->rows || !table->sequences || !table->start || !table->column ||
        table->start[0] != 0 || table->start[table->sequences] != table->rows)
        return pktseqi_bad_argument(err, "the table is empty or its sequences do not cover it");
    for (size_t i = 0; i < table->column_count; ++i)
        if (!table->column[i].name) return pktseqi_bad_argument(err, "a column has no name");
    return PKTSEQ_OK;
}

// Checks that every sequence of a table has a row. With start[0] = 0 and start[sequences] = rows,
// checked before, every row then belongs to exactly one.
static pktseq_status pktseqi_table_check_starts(const pktseq_table *table, pktseq_error *err) {
    for (size_t i = 0; i < table->sequences; ++i)
        if (table->start[i] >= table->start[i + 1])
            return pktseqi_bad_argument(err, "the table's sequences do not rise");
    return PKTSEQ_OK;
}

// Checks that every text of rows [from, past) of a column has a name; numbers have none. Cells of
// texts are whole and not negative by their type.
//   from, past   within the table: a caller that encodes a part of it checks that part
static pktseq_status pktseqi_column_check_texts(const pktseq_column *c, size_t from, size_t past,
                                                pktseq_error *err) {
    double index[PKTSEQI_BLOCK], max = -1;
    for (size_t n; pktseqi_column_texts(c) && from < past; from += n) {
        n = past - from < PKTSEQI_BLOCK ? past - from : (size_t)PKTSEQI_BLOCK;
        pktseqi_cells_load(c, from, n, index);
        for (size_t i = 0; i < n; ++i) max = index[i] > max ? index[i] : max;
    }
    if (max < (double)c->name_count) return PKTSEQ_OK;
    return pktseqi_bad_argument(err, "a text of the table is not among its names");
}

// Checks the texts of all columns of a table.
static pktseq_status pktseqi_table_check_texts(const pktseq_table *table, pktseq_error *err) {
    pktseq_status status = PKTSEQ_OK;
    for (size_t i = 0; i < table->column_count && !status; ++i)
        status = pktseqi_column_check_texts(&table->column[i], 0, table->rows, err);
    return status;
}

// Runs all three checks, each of which relies on the one before.
static pktseq_status pktseqi_table_check_all(const pktseq_table *table, pktseq_error *err) {
    pktseq_status status = pktseqi_table_check(table, err);
    if (!status) status = pktseqi_table_check_starts(table, err);
    return status ? status : pktseqi_table_check_texts(table, err);
}

PKTSEQ_DEF pktseq_status pktseq_table_select(pktseq_table *table, const unsigned char *keep,
                                             pktseq_error *err) {
    size_t kept = 0, to = 0;
    pktseq_status status = pktseqi_table_check(table, err);
    if (!status) status = pktseqi_table_check_starts(table, err);
    if (status) return status;
    if (!keep) return pktseqi_bad_argument(err, "keep is NULL");
    for (size_t s = 0; s < table->sequences; ++s) kept += keep[s] != 0;
    if (kept == 0) return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "no sequence would be left");
    if (kept == table->sequences) return pktseqi_ok(err);
    if (!pktseqi_source_rows(table, table->rows)) return pktseqi_no_memory(err);
    // Nothing can fail from here on. Rows only move down, so each is read before it is lost.
    kept = 0;
    for (size_t s = 0; s < table->sequences; ++s) {
        size_t row = table->start[s], count = table->start[s + 1] - row;
        if (!keep[s]) continue;
        table->start[kept] = to;
        if (table->connection) table->connection[kept] = table->connection[s];
        ++kept;
        for (size_t i = 0; i < table->column_count; ++i)
            pktseqi_cells_shift(table->column[i].cell, to, row, count,
                                pktseqi_cell_bytes(table->column[i].type));
        pktseqi_cells_shift(table->source_row, to, row, count, sizeof *table->source_row);
        to += count;
    }
    table->counts.attacks += table->rows - to;
    table->rows = table->start[kept] = to;
    table->sequences = kept;
    return pktseqi_ok(err);
}

PKTSEQ_DEF pktseq_status pktseq_table_drop_attacks(pktseq_table *table, pktseq_error *err) {
    const pktseq_column *label = pktseq_table_column(table, "label");
    unsigned char *keep;
    size_t kept = 0;
    pktseq_status status = pktseqi_table_check_all(table, err);
    if (status) return status;
    if (!pktseqi_column_texts(label)) return pktseqi_ok(err);
    // A sequence stays or goes as a whole: half of an attack is not normal traffic.
    keep = (unsigned char *)pktseqi_alloc(&table->allocator, table->sequences, 1);
    if (!keep) return pktseqi_no_memory(err);
    for (size_t s = 0; s < table->sequences; ++s) {
        size_t row = table->start[s], end = table->start[s + 1];
        while (row < end && pktseq_label_is_normal(pktseq_column_text(label, row))) ++row;
        keep[s] = row == end;
        kept += keep[s];
    }
    if (kept) status = pktseq_table_select(table, keep, err);
    else status = pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "every sequence has packets that the "
                                "column \"label\" calls attacks (%q ..), but training needs normal "
                                "traffic", pktseq_column_text(label, 0));
    pktseqi_free(&table->allocator, keep);
    return status;
}

PKTSEQ_DEF void pktseq_table_free(pktseq_table *table) {
    if (!table) return;
    for (size_t i = table->column_count - table->own_columns; i < table->column_count; ++i)
        pktseqi_column_free(&table->allocator, &table->column[i]);
    if (table->own_columns || !table->column_count) pktseqi_free(&table->allocator, table->column);
    pktseqi_free(&table->allocator, table->start);
    pktseqi_free(&table->allocator, table->source_row);
    pktseqi_free(&table->allocator, table->connection);
    memset(table, 0, sizeof *table);
}

PKTSEQI_COLD_END

// ---- >>slots: bounded hash tables that evict the least recently used key ---------------------
//
// The tracker remembers connections, pairs of addresses and contacts of hosts in tables of one
// kind; the segmenter numbers tokens in another one. In: a key of 40 bytes (pktseqi_ends). Out: the
// number of its slot, which stays the same until the slot is removed.
//
//   slots_reserve     makes room, the only call that can fail or move memory
//   slots_has         checks a slot number that was remembered, without hashing
//   slots_find        looks a key up
//   slots_touch       makes a slot the most recently used one
//   slots_oldest, slots_remove     make room in a table that has reached its limit
//   slots_add         takes a slot for a new key
//
// Slots are numbered from 1, and links are numbers: they take half the space of pointers and stay
// valid when an array moves. 0 means none, so that zeroed memory is a valid state.
//
// No result depends on the secret, on memory or on the layout of a table: the secret decides only
// the order within a bucket, which nothing looks at.

// Hashes 64-bit words with a key. Without the secret nobody can make words that collide, which
// would turn every chain of the hash tables into a list as long as the table.
//   source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one round a word and
//   three at the end (their SipHash-1-3), since only slots are at stake and no message is signed;
//   no length, since each table hashes keys of one length
static uint64_t pktseqi_hash(const uint64_t *secret, const uint64_t *word, size_t count) {
    uint64_t a = secret[0] ^ 0x736f6d6570736575u, b = secret[1] ^ 0x646f72616e646f6du;
    uint64_t c = secret[0] ^ 0x6c7967656e657261u, d = secret[1] ^ 0x7465646279746573u;
    for (size_t i = 0; i < count + 3; ++i) {
        uint64_t m = i < count ? word[i] : 0;  // the final rounds mix nothing in
        if (i == count) c ^= 0xff;             // SipHash's finalization constant
        d ^= m;
        a += b, b = (b << 13 | b >> 51) ^ a, a = a << 32 | a >> 32;
        c += d, d = (d << 16 | d >> 48) ^ c;
        a += d, d = (d << 21 | d >> 43) ^ a;
        c += b, b = (b << 17 | b >> 47) ^ c, c = c << 32 | c >> 32;
        a ^= m;
    }
    return a ^ b ^ c ^ d;
}

// A key: two ends of a conversation, the lower address first. It has no padding, 40 bytes, since it
// is compared and hashed as bytes. "Lower" compares bytes and means nothing else: callers only
// learn whether two packets come from the same end.
typedef struct pktseqi_ends {
    unsigned char address[2][16];
    uint16_t port[2];
    uint32_t kind;  // of a connection its transport, of a pair of addresses 0, of a contact
                    //   4 * transport + kind of contact; PKTSEQI_NO_KEY in slots without a key
} pktseqi_ends;
#define PKTSEQI_NO_KEY UINT32_MAX

// The head of every slot, 64 bytes. The hash is stored so that growing need not recompute it, and
// so that a chain is walked without comparing keys.
typedef struct pktseqi_slot {
    pktseqi_ends ends;
    uint32_t hash;
    uint32_t chain;         // the next slot in the same bucket, or in the list of free slots
    uint32_t older, newer;  // in order of use
    double time;            // of its last packet, set by the table's user
} pktseqi_slot;

// A hash table of slots that also lists them by last use, in a circle that slot 0 closes:
//
//     0 <-> oldest <-> .. <-> newest <-> 0       bucket[hash & mask] -> slot -> slot
typedef struct pktseqi_slots {
    unsigned char *memory;  // (capacity + 1, size)
    size_t size;            // bytes of a slot, which begins with a pktseqi_slot
    size_t capacity, limit;
    size_t used;            // slots that were ever taken. No number is above it, and it never
                            //   falls, so an old number leads to a slot
    size_t taken;           // slots that have a key now
    uint32_t free;          // the first slot that was removed and not taken again
    uint32_t *bucket;       // (mask + 1) a power of two, at least one a slot
    uint32_t mask;
} pktseqi_slots;

// Returns a slot by number. It is valid until the table grows.
static pktseqi_slot *pktseqi_slots_at(const pktseqi_slots *s, uint32_t i) {
    return (pktseqi_slot *)(void *)(s->memory + i * s->size);
}

// Adds a slot to the front of its bucket: new slots are looked up soonest.
static void pktseqi_slots_chain(pktseqi_slots *s, uint32_t i) {
    pktseqi_slot *slot = pktseqi_slots_at(s, i);
    slot->chain = s->bucket[slot->hash & s->mask];
    s->bucket[slot->hash & s->mask] = i;
}

// Returns 1 if (more) slots can be taken without growing. A table at its limit never grows: its
// user evicts the oldest slot instead.
static int pktseqi_slots_room(const pktseqi_slots *s, size_t more) {
    return s->capacity - s->taken >= more || s->capacity == s->limit;
}

// Allocates larger memory and empty buckets for (more) slots. The caller moves what is in *old, the
// table before, and frees it with pktseqi_slots_free. Capacity doubles up to the limit, so memory
// is within twice of what the traffic needs. Buckets are as many as slots, or up to twice, so
// chains have one slot on average at most; the mask fits, since limits are below 2^31. The first 64
// slots of a tracker's four tables take 23 kB together: a short file costs next to nothing. Returns
// 0 if there is no memory; the table is then unchanged.
static int pktseqi_slots_larger(const pktseq_allocator *allocator, pktseqi_slots *s, size_t more,
                                pktseqi_slots *old) {
    size_t to = s->capacity ? 2 * s->capacity : 64, buckets = 64;
    uint32_t *bucket;
    void *memory;
    if (to < s->taken + more) to = s->taken + more;
    if (to > s->limit) to = s->limit;
    while (buckets < to) buckets *= 2;
    bucket = (uint32_t *)pktseqi_alloc_zeroed(allocator, buckets, sizeof *bucket);
    memory = bucket ? pktseqi_alloc_large(allocator, to + 1, s->size) : NULL;
    if (!memory) {
        pktseqi_free(allocator, bucket);
        return 0;
    }
    *old = *s;
    s->memory = (unsigned char *)memory;
    s->bucket = bucket;
    s->capacity = to;
    s->mask = (uint32_t)buckets - 1;
    return 1;
}

// Frees the memory of a table. Zeroed tables have none.
static void pktseqi_slots_free(const pktseq_allocator *allocator, pktseqi_slots *s) {
    pktseqi_free(allocator, s->memory);
    pktseqi_free(allocator, s->bucket);
}

// Makes sure that (more) slots can be taken, or that the table is at its limit. Slots enter the new
// buckets in the order of use, so that the newest are found first. Returns 0 if there is no memory;
// the table is then unchanged.
static int pktseqi_slots_reserve(const pktseq_allocator *allocator, pktseqi_slots *s, size_t more) {
    pktseqi_slots old;
    if (pktseqi_slots_room(s, more)) return 1;
    if (!pktseqi_slots_larger(allocator, s, more, &old)) return 0;
    if (old.memory) memcpy(s->memory, old.memory, (s->used + 1) * s->size);
    else memset(s->memory, 0, s->size);
    pktseqi_slots_at(s, 0)->ends.kind = PKTSEQI_NO_KEY;
    for (uint32_t i = 0; (i = pktseqi_slots_at(s, i)->newer) != 0;) pktseqi_slots_chain(s, i);
    pktseqi_slots_free(allocator, &old);
    return 1;
}

// Removes a slot from the list by use.
static void pktseqi_slots_unlink(pktseqi_slots *s, uint32_t i) {
    const pktseqi_slot *slot = pktseqi_slots_at(s, i);
    pktseqi_slots_at(s, slot->older)->newer = slot->newer;
    pktseqi_slots_at(s, slot->newer)->older = slot->older;
}

// Inserts a slot into the list by use as its newest. Slot 0 is before the oldest and after the
// newest, so no link has to be tested for the end of the list.
static void pktseqi_slots_link(pktseqi_slots *s, uint32_t i) {
    pktseqi_slot *slot = pktseqi_slots_at(s, i), *circle = pktseqi_slots_at(s, 0);
    slot->older = circle->older;
    slot->newer = 0;
    pktseqi_slots_at(s, slot->older)->newer = i;
    circle->older = i;
}

// Makes a slot the newest one.
static void pktseqi_slots_touch(pktseqi_slots *s, uint32_t i) {
    if (pktseqi_slots_at(s, i)->newer == 0) return;
    pktseqi_slots_unlink(s, i);
    pktseqi_slots_link(s, i);
}

// Returns the least recently used slot, or 0 if the table is empty.
static uint32_t pktseqi_slots_oldest(const pktseqi_slots *s) {
    return s->taken ? pktseqi_slots_at(s, 0)->newer : 0;
}

// Returns 1 if slot i has this key. Any number that the table has ever given, and 0, may be passed:
// removed slots and slot 0 have a key that no caller uses. A known connection's packet thus needs
// no hash of its pair, host and services, which took a quarter of the time of a packet.
static int pktseqi_slots_has(const pktseqi_slots *s, uint32_t i, const pktseqi_ends *ends) {
    return memcmp(&pktseqi_slots_at(s, i)->ends, ends, sizeof *ends) == 0;
}

// Returns the slot of a key, or 0. Its place in the list by use is unchanged.
static uint32_t pktseqi_slots_find(const pktseqi_slots *s, const pktseqi_ends *ends,
                                   uint32_t hash) {
    uint32_t i = s->bucket[hash & s->mask];
    while (i && (pktseqi_slots_at(s, i)->hash != hash || !pktseqi_slots_has(s, i, ends)))
        i = pktseqi_slots_at(s, i)->chain;
    return i;
}

// Takes a slot for a key that has none; slots_reserve has made room. The rest of the slot is zero.
// Removed slots are taken first: they are in the cache, and `used` stays the number of slots that
// a caller needs arrays for.
static uint32_t pktseqi_slots_add(pktseqi_slots *s, const pktseqi_ends *ends, uint32_t hash) {
    uint32_t i = s->free;
    pktseqi_slot *slot;
    if (i) s->free = pktseqi_slots_at(s, i)->chain;
    else i = (uint32_t)++s->used;
    ++s->taken;
    slot = pktseqi_slots_at(s, i);
    memset(slot, 0, s->size);
    slot->ends = *ends;
    slot->hash = hash;
    pktseqi_slots_chain(s, i);
    pktseqi_slots_link(s, i);
    return i;
}

// Removes a slot, so that another key can take it. Its chain is short, so the link to it is
// searched for: a link back would take four bytes of every slot.
static void pktseqi_slots_remove(pktseqi_slots *s, uint32_t i) {
    pktseqi_slot *slot = pktseqi_slots_at(s, i);
    uint32_t *link = &s->bucket[slot->hash & s->mask];
    while (*link != i) link = &pktseqi_slots_at(s, *link)->chain;
    *link = slot->chain;
    pktseqi_slots_unlink(s, i);
    slot->ends.kind = PKTSEQI_NO_KEY;
    slot->chain = s->free;
    s->free = i;
    --s->taken;
}

// ---- >>counters: what pairs of addresses and hosts did in the last 10 seconds -----------------
//
// The tracker's memory, and the counters made of it. Connections, pairs and contacts of sources are
// slots of bounded tables (see >>slots); the packets that a pair's counters are computed from lie
// in a ring. In: a packet and its connection; out: pktseq_tracked.counter.
//
//   tracker_take      the slot of a key; at the limit the least recently used is evicted
//   pair_push         nine counters of a packet's pair of addresses (pair_add, pair_drop)
//   source_push       three counters of the host that opened its connection (contact_touch)
//
// Limits are part of the definition: what is forgotten, and when, follows from the packets and the
// rule alone, never from memory or the secret. So a file and the same packets live give the same
// bits, also in a flood.
//
// With the default limits: 65,536 connections in 8 MB, as many pairs and contacts in 13 MB, and
// 1,048,576 packets in 46 MB, buckets included, if so many come in 20 seconds. test_flood pushes
// 3,000,000 packets, each between two addresses of its own, and holds the tracker to 68 MB, and to
// 92 MB while it grows.

// A connection, 120 bytes. By the reference's rule it serves tokens and sources only; its number,
// sequence and position are then 0.
typedef struct pktseqi_connection {
    pktseqi_slot slot;
    uint64_t number, sequence; // its own, and that of its current sequence
    uint32_t position;         // packets in that sequence
    uint16_t state;            // of its last packet: flags, or the type of ICMP
    unsigned char known;       // it has had a packet
    unsigned char sender;      // which end sent the last packet
    unsigned char opener;      // and which one the first
    unsigned char closing;     // FIN or RST has been seen
    // Slots where its last packet found its pair, its source and the source's contacts by kind.
    // Other keys may have taken them since, see pktseqi_slots_has.
    uint32_t pair, contact[4];
    uint32_t port_hash[2];     // of both ports in that pair
} pktseqi_connection;

// A pair of addresses, 112 bytes: sums over its packets in the window, each of which is added once
// and subtracted once, however long the window is.
typedef struct pktseqi_pair {
    pktseqi_slot slot;
    uint32_t oldest, newest;  // of the packets remembered, linked by next; count[0] = 0: none
    uint32_t count[5];        // packets; of these SYN without ACK, RST, FIN, PSH
    uint32_t ports[2];        // different higher and lower ones
    double length;            // sum of them
} pktseqi_pair;

// A contact of a source, or (kind 0) the source itself, 80 bytes. A source is touched after its
// contacts, so it is evicted after them, and `source` always leads to one. A contact that leaves
// the window or the table subtracts 1 from its source.
typedef struct pktseqi_contact {
    pktseqi_slot slot;
    uint32_t source;        // the slot of its source
    uint32_t contacts[3];   // of a source: those in the window, other hosts, services there, and
                            //   connections (kinds 1 to 3)
} pktseqi_contact;

// A packet in the window of its pair, 40 bytes. Different ports are counted by the last packet of
// each, which alone is in the hash table of ports: no port needs memory of its own. A link in that
// table is twice the packet's number, plus 1 for the lower port.
typedef struct pktseqi_remembered {
    double time, length;
    uint32_t pair;        // 0 after it has left the window
    uint32_t next;        // the pair's next packet, unless it is the newest
    uint32_t chain[2];    // links to the next in the bucket of each port, where it is the last
    uint16_t port[2];     // the higher, the lower
    uint16_t flags;
    unsigned char last[2];  // 1: the last packet of its pair with that port
} pktseqi_remembered;

// The tables of a tracker. Packets are no slots, but their memory grows in the same way.
enum {
    PKTSEQI_CONNECTIONS,
    PKTSEQI_PAIRS,
    PKTSEQI_CONTACTS,
    PKTSEQI_PACKETS,  // a ring: `taken` places up to t->newest, numbered from 1
    PKTSEQI_TABLES
};

// Everything that a tracker remembers.
typedef struct pktseqi_tracking {
    uint64_t secret[2];
    pktseqi_slots table[PKTSEQI_TABLES];
    uint32_t newest;             // place of the packet remembered last
    uint32_t last;               // slot of the previous packet's connection
    uint32_t recent[256];        // slots of connections, by bits of their ends that need no secret:
                                 //   packets made to collide here cost one keyed hash each
    // the current sequence of the reference's rule
    unsigned char source[16];    // where its first packet came from
    double begin;                // and when
    size_t position;             // its packets; 0 = none has begun
    pktseqi_ends previous;       // of the previous packet
} pktseqi_tracking;

// Bits of pktseq_packet.flags, as in TCP's header; the registry of columns has the flags in this
// order, so flag f is column f.
//   source: RFC 9293 section 3.1; RFC 3168 for ECE and CWR, RFC 3540 for NS
enum {
    PKTSEQI_TCP_FIN = 1,
    PKTSEQI_TCP_SYN = 2,
    PKTSEQI_TCP_RESET = 4,
    PKTSEQI_TCP_PUSH = 8,
    PKTSEQI_TCP_ACK = 16,
    PKTSEQI_TCP_FLAGS = 1023  // all ten of them
};

// Windows in seconds of the counters and of what a token remembers of its connection: 10 s at
// 100,000 packets a second are as many packets as the default rule remembers; 30 s are its idle
// time by connection, so a token looks back as far as its connection goes.
static const double pktseqi_pair_seconds = 10, pktseqi_token_seconds = 30;

// Return the connection, pair, contact or packet of a number, valid until a table grows. A type
// that is known here spares slots_at's multiplication by the size.
static pktseqi_connection *pktseqi_connection_at(const pktseqi_tracking *t, uint32_t i) {
    return (pktseqi_connection *)(void *)t->table[PKTSEQI_CONNECTIONS].memory + i;
}
static pktseqi_pair *pktseqi_pair_at(const pktseqi_tracking *t, uint32_t i) {
    return (pktseqi_pair *)(void *)t->table[PKTSEQI_PAIRS].memory + i;
}
static pktseqi_contact *pktseqi_contact_at(const pktseqi_tracking *t, uint32_t i) {
    return (pktseqi_contact *)(void *)t->table[PKTSEQI_CONTACTS].memory + i;
}
static pktseqi_remembered *pktseqi_remembered_at(const pktseqi_tracking *t, uint32_t i) {
    return (pktseqi_remembered *)(void *)t->table[PKTSEQI_PACKETS].memory + i;
}

// ---- a pair's window
//
// The packets of a pair are a list through the ring, oldest first, as they came. To count the
// different ports of a pair, the last packet with each port stands for it in a hash table, marked
// by `last`; the next packet with that port takes its place. The port is gone when the packet that
// stands for it leaves the window, since all others with it came before.

// Hashes the higher (k = 0) or lower port of a pair. The pair's number stands for its addresses;
// another pair gets it only after all packets of this one have left.
static uint32_t pktseqi_port_hash(const pktseqi_tracking *t, uint32_t pair, unsigned k,
                                  uint16_t port) {
    uint64_t word = (uint64_t)pair << 32 | (uint64_t)k << 16 | port;
    return (uint32_t)pktseqi_hash(t->secret, &word, 1);
}

// Finds the link that leads to the last packet of the pair with a packet's port k, or the end of
// the chain. Chains of both kinds of port share the buckets: a link's low bit tells which one
// continues.
static uint32_t *pktseqi_port_link(pktseqi_tracking *t, const pktseqi_remembered *packet,
                                   unsigned k, uint32_t hash) {
    const pktseqi_slots *s = &t->table[PKTSEQI_PACKETS];
    uint32_t *link = &s->bucket[hash & s->mask];
    while (*link) {
        pktseqi_remembered *other = pktseqi_remembered_at(t, *link >> 1);
        if ((*link & 1) == k && other->pair == packet->pair && other->port[k] == packet->port[k])
            break;
        link = &other->chain[*link & 1];
    }
    return link;
}

// Makes packet i the last one with its port k. Returns the previous one, or 0.
static uint32_t pktseqi_port_put(pktseqi_tracking *t, uint32_t i, unsigned k, uint32_t hash) {
    pktseqi_remembered *packet = pktseqi_remembered_at(t, i);
    uint32_t *link = pktseqi_port_link(t, packet, k, hash), before = *link >> 1;
    packet->chain[k] = before ? pktseqi_remembered_at(t, before)->chain[k] : 0;
    packet->last[k] = 1;
    *link = 2 * i + k;
    return before;
}

// Adds a packet to its pair's sums (more = 1) or subtracts it. Sums of whole lengths up to 2^32 are
// exact in a double as long as they are below 2^53, which two million such lengths reach, so what
// was added leaves nothing when it is subtracted.
static void pktseqi_pair_count(pktseqi_pair *p, const pktseqi_remembered *packet, int more) {
    uint32_t by = more ? 1 : (uint32_t)-1;
    unsigned flags = packet->flags;
    p->count[0] += by;
    p->count[1] += (flags & (PKTSEQI_TCP_SYN | PKTSEQI_TCP_ACK)) == PKTSEQI_TCP_SYN ? by : 0;
    p->count[2] += flags & PKTSEQI_TCP_RESET ? by : 0;
    p->count[3] += flags & PKTSEQI_TCP_FIN ? by : 0;
    p->count[4] += flags & PKTSEQI_TCP_PUSH ? by : 0;
    p->length += more ? packet->length : -packet->length;
}

// Removes the oldest packet from a pair's window, which must not be empty.
static void pktseqi_pair_drop(pktseqi_tracking *t, pktseqi_pair *p) {
    pktseqi_remembered *packet = pktseqi_remembered_at(t, p->oldest);
    for (unsigned k = 0; k < 2; ++k) {
        uint32_t hash;
        if (!packet->last[k]) continue;
        hash = pktseqi_port_hash(t, packet->pair, k, packet->port[k]);
        *pktseqi_port_link(t, packet, k, hash) = packet->chain[k];
        packet->last[k] = 0;
        --p->ports[k];
    }
    pktseqi_pair_count(p, packet, 0);
    // Lengths that are not whole leave rounding errors; they end when one packet is left.
    if (p->count[0] == 1) p->length = pktseqi_remembered_at(t, p->newest)->length;
    packet->pair = 0;
    p->oldest = packet->next;
}

// Returns the place of the oldest packet in the ring, which must not be empty.
static uint32_t pktseqi_ring_oldest(const pktseqi_tracking *t) {
    const pktseqi_slots *ring = &t->table[PKTSEQI_PACKETS];
    size_t before = t->newest + ring->capacity - ring->taken;
    return (uint32_t)(before < ring->capacity ? before : before - ring->capacity) + 1;
}

// Removes the oldest packet from the ring, and from its pair's window if it has not left that
// before.
static void pktseqi_ring_drop(pktseqi_tracking *t) {
    uint32_t pair = pktseqi_remembered_at(t, pktseqi_ring_oldest(t))->pair;
    if (pair) pktseqi_pair_drop(t, pktseqi_pair_at(t, pair));
    --t->table[PKTSEQI_PACKETS].taken;
}

// Removes packets that have left their windows, and those of silent pairs after two windows: so a
// clock may go back by one window, and memory follows the traffic.
static void pktseqi_ring_expire(pktseqi_tracking *t, double now) {
    const pktseqi_remembered *packet;
    while (packet = pktseqi_remembered_at(t, pktseqi_ring_oldest(t)),
           !packet->pair || packet->time < now - 2 * pktseqi_pair_seconds)
        pktseqi_ring_drop(t);
}

// Makes sure that the ring has room for a packet, or is at its limit. It grows when it is full, so
// the oldest packet follows the newest; in the new memory the oldest is number 1. Old chains are
// never followed: `last` alone tells which ports enter the new buckets. Returns 0 if there is no
// memory; the ring is then unchanged.
static int pktseqi_ring_reserve(const pktseq_allocator *allocator, pktseqi_tracking *t) {
    pktseqi_slots old, *ring = &t->table[PKTSEQI_PACKETS];
    const uint32_t full = (uint32_t)ring->taken, first = full ? t->newest % full + 1 : 1;
    if (pktseqi_slots_room(ring, 1)) return 1;
    if (!pktseqi_slots_larger(allocator, ring, 1, &old)) return 0;
    for (uint32_t i = 1; i <= full; ++i) {
        pktseqi_remembered *packet = pktseqi_remembered_at(t, i);
        *packet = ((pktseqi_remembered *)(void *)old.memory)[(first + i - 2) % full + 1];
        packet->next = (packet->next + full - first) % full + 1;
    }
    for (uint32_t i = 1; full && i <= t->table[PKTSEQI_PAIRS].used; ++i) {
        pktseqi_pair *p = pktseqi_pair_at(t, i);
        p->oldest = (p->oldest + full - first) % full + 1;
        p->newest = (p->newest + full - first) % full + 1;
    }
    t->newest = full;
    for (uint32_t i = 1; i <= full; ++i)
        for (unsigned k = 0; k < 2; ++k) {
            const pktseqi_remembered *packet = pktseqi_remembered_at(t, i);
            if (!packet->last[k]) continue;
            pktseqi_port_put(t, i, k, pktseqi_port_hash(t, packet->pair, k, packet->port[k]));
        }
    pktseqi_slots_free(allocator, &old);
    return 1;
}

// Adds a packet to the window of the pair in slot `pair`. In a ring at its limit it takes the place
// of the oldest packet of all.
//   port_hash   of the higher and the lower port in that pair
static void pktseqi_pair_add(pktseq_tracker *tracker, uint32_t pair, const uint32_t port_hash[2],
                             const pktseq_packet *from) {
    pktseqi_tracking *t = tracker->state;
    pktseqi_slots *ring = &t->table[PKTSEQI_PACKETS];
    pktseqi_pair *p = pktseqi_pair_at(t, pair);
    pktseqi_remembered *packet;
    uint32_t i, before;
    int swap = from->src_port < from->dst_port;
    if (ring->taken == ring->limit) {
        packet = pktseqi_remembered_at(t, pktseqi_ring_oldest(t));
        tracker->evicted_packets += packet->pair != 0 &&
                                    packet->time >= from->time - pktseqi_pair_seconds;
        pktseqi_ring_drop(t);
    }
    ++ring->taken;
    i = t->newest = t->newest == ring->capacity ? 1 : t->newest + 1;
    packet = pktseqi_remembered_at(t, i);
    packet->time = from->time;
    // No packet is longer; 1e300 in a CSV file, or a NaN, would stay in the sum after it has left.
    packet->length = fabs(from->length) < 4294967296.0 ? from->length : 4294967296.0;
    packet->flags = from->flags;
    packet->port[swap] = from->src_port;
    packet->port[!swap] = from->dst_port;
    packet->pair = pair;
    packet->next = 0;
    // It replaces the last packet with that port; without one there is one port more.
    for (unsigned k = 0; k < 2; ++k) {
        before = pktseqi_port_put(t, i, k, port_hash[k]);
        if (before) pktseqi_remembered_at(t, before)->last[k] = 0;
        else ++p->ports[k];
    }
    if (p->count[0] == 0) p->oldest = i;
    else pktseqi_remembered_at(t, p->newest)->next = i;
    p->newest = i;
    pktseqi_pair_count(p, packet, 1);
}

// ---- eviction
//
// Before a slot is removed, what depends on it is settled. It counts as evicted only if it was
// still within its window, so that the limit forced it out and not its age.

// Reports the end of a connection's sequence to the caller; i = 0 is the only sequence of the
// reference's rule. For callers slots are numbered from 0. The slot is still that sequence's, and
// so is what the caller stores by slot number.
static void pktseqi_tracker_end(const pktseq_tracker *tracker, uint32_t i) {
    if (tracker->end_fn) tracker->end_fn(tracker->user_data, i ? i - 1 : 0);
}

// Ends the sequence of connection i. By the reference's rule only tokens look back to it.
static void pktseqi_connection_evict(pktseq_tracker *tracker, uint32_t i, double time) {
    const pktseqi_connection *c = pktseqi_connection_at(tracker->state, i);
    double idle = tracker->rule.kind == PKTSEQ_RULE_CONNECTION ? tracker->rule.idle
                                                               : pktseqi_token_seconds;
    tracker->evicted_connections += time - c->slot.time <= idle;
    if (c->position) pktseqi_tracker_end(tracker, i);
}

// Removes the packets of pair i from its window.
static void pktseqi_pair_evict(pktseq_tracker *tracker, uint32_t i, double time) {
    pktseqi_pair *p = pktseqi_pair_at(tracker->state, i);
    tracker->evicted_pairs += p->slot.time >= time - pktseqi_pair_seconds && p->count[0];
    while (p->count[0]) pktseqi_pair_drop(tracker->state, p);
}

// Subtracts contact i from its source. A source has kind 0, and no contacts by now.
static void pktseqi_contact_evict(pktseq_tracker *tracker, uint32_t i, double time) {
    const pktseqi_contact *c = pktseqi_contact_at(tracker->state, i);
    unsigned kind = c->slot.ends.kind & 3;
    tracker->evicted_contacts += c->slot.time >= time - pktseqi_pair_seconds;
    if (kind) --pktseqi_contact_at(tracker->state, c->source)->contacts[kind - 1];
}

// Evicts the least recently used slot of a table, which must not be empty.
//   table   PKTSEQI_CONNECTIONS, _PAIRS or _CONTACTS
static void pktseqi_tracker_evict(pktseq_tracker *tracker, int table, double time) {
    static void (*const evict[])(pktseq_tracker *, uint32_t, double) = {
        pktseqi_connection_evict, pktseqi_pair_evict, pktseqi_contact_evict};
    pktseqi_slots *s = &tracker->state->table[table];
    uint32_t i = pktseqi_slots_oldest(s);
    evict[table](tracker, i, time);
    pktseqi_slots_remove(s, i);
}

// Returns the slot of a key, which becomes the newest; for a new key one that is zero, after the
// oldest slot was evicted if the table is at its limit.
//   known   a slot that may have the key, which saves its hash: any number that the table has ever
//           given, or 0
static uint32_t pktseqi_tracker_take(pktseq_tracker *tracker, int table, const pktseqi_ends *ends,
                                     uint32_t known, double time) {
    pktseqi_slots *s = &tracker->state->table[table];
    uint64_t word[sizeof *ends / 8];
    uint32_t hash;
    if (!pktseqi_slots_has(s, known, ends)) {
        memcpy(word, ends, sizeof word);
        hash = (uint32_t)pktseqi_hash(tracker->state->secret, word, sizeof word / sizeof *word);
        known = pktseqi_slots_find(s, ends, hash);
        if (!known) {
            if (s->taken == s->limit) pktseqi_tracker_evict(tracker, table, time);
            return pktseqi_slots_add(s, ends, hash);
        }
    }
    pktseqi_slots_touch(s, known);
    return known;
}

// ---- counters
//
// They are updated in the order of time, before packets are grouped by connection, since they span
// connections. A packet counts itself, so no count is 0 and no share divides by it.

// Computes the nine counters of the pair of a packet's connection, with the packet in and what is
// older than the window out.
//   c       stores where the pair and its ports were found, for the next packet
//   count   (9) out
static void pktseqi_pair_push(pktseq_tracker *tracker, pktseqi_connection *c,
                              const pktseq_packet *packet, double *count) {
    pktseqi_tracking *t = tracker->state;
    pktseqi_ends ends = c->slot.ends;
    unsigned swap = packet->src_port < packet->dst_port;
    pktseqi_pair *p;
    uint32_t pair;
    // The key of the pair is the connection's without ports and transport.
    ends.port[0] = ends.port[1] = 0;
    ends.kind = 0;
    pair = pktseqi_tracker_take(tracker, PKTSEQI_PAIRS, &ends, c->pair, packet->time);
    // The key of ICMP has no ports, so packets of one connection may differ in theirs.
    if (pair != c->pair || pktseqi_transport_icmp(packet->transport)) {
        c->port_hash[swap] = pktseqi_port_hash(t, pair, swap, packet->src_port);
        c->port_hash[!swap] = pktseqi_port_hash(t, pair, !swap, packet->dst_port);
    }
    c->pair = pair;
    p = pktseqi_pair_at(t, pair);
    p->slot.time = packet->time;
    pktseqi_pair_add(tracker, pair, c->port_hash, packet);
    // Both loops end at the packet itself.
    while (pktseqi_remembered_at(t, p->oldest)->time < packet->time - pktseqi_pair_seconds)
        pktseqi_pair_drop(t, p);
    pktseqi_ring_expire(t, packet->time);
    // In the order of the registry: pair_packets, _syn, _reset, _fin; _push and _length as shares;
    // _connections, _services; _per_connection. There is a higher port, so nothing is divided by 0.
    for (int k = 0; k < 4; ++k) count[k] = p->count[k];
    count[4] = (double)p->count[4] / p->count[0];
    count[5] = p->length / p->count[0];
    count[6] = p->ports[0];
    count[7] = p->ports[1];
    count[8] = (double)p->count[0] / p->ports[0];
}

// Updates a contact of the host that opened a connection, or with kind 0 the host itself, which
// must come first. The kind is part of the key: the low bits of the member that has the transport
// elsewhere.
//   connection   stores the slot, for its next packet
//   ends         the key without the kind, which is added to it
static void pktseqi_contact_touch(pktseq_tracker *tracker, pktseqi_connection *connection,
                                  uint32_t kind, pktseqi_ends *ends, double time) {
    pktseqi_tracking *t = tracker->state;
    uint32_t *slot = &connection->contact[kind], source = connection->contact[0];
    pktseqi_contact *c;
    ends->kind = ends->kind << 2 | kind;
    *slot = pktseqi_tracker_take(tracker, PKTSEQI_CONTACTS, ends, *slot, time);
    c = pktseqi_contact_at(t, *slot);
    c->slot.time = time;
    if (!kind || c->source == source) return;
    // The same ports may be opened again, by the other host.
    if (c->source) --pktseqi_contact_at(t, c->source)->contacts[kind - 1];
    ++pktseqi_contact_at(t, source)->contacts[kind - 1];
    c->source = source;
}

// Computes the three counters of the host that opened a packet's connection, with the packet in and
// what is older than the window out. They show a scan, many hosts or services in little time, each
// of whose connections looks harmless. Keys: of the host (address, 0), of its services (address, 0,
// transport, port), of other hosts (address, other address), of connections their own ends.
//   same    the previous packet was of the same connection, with the same opener
//   count   (3) out: hosts, services, connections
static void pktseqi_source_push(pktseq_tracker *tracker, pktseqi_connection *connection, int same,
                                double time, double *count) {
    pktseqi_tracking *t = tracker->state;
    pktseqi_slots *s = &t->table[PKTSEQI_CONTACTS];
    const pktseqi_ends *from = &connection->slot.ends;
    const uint32_t *slot = connection->contact;
    int opener = connection->opener, icmp = pktseqi_transport_icmp(from->kind);
    pktseqi_ends ends;
    uint32_t oldest;
    while ((oldest = pktseqi_slots_oldest(s)) != 0 &&
           pktseqi_slots_at(s, oldest)->time < time - pktseqi_pair_seconds)
        pktseqi_tracker_evict(tracker, PKTSEQI_CONTACTS, time);
    // Then these four are the newest, in this order, unless they have left the window: all have the
    // time of that packet, so they leave it together.
    if (same && pktseqi_slots_at(s, 0)->older == slot[0]) {
        for (int k = 0; k < 4; ++k) pktseqi_slots_at(s, slot[k])->time = time;
    } else {
        memset(&ends, 0, sizeof ends);
        memcpy(ends.address[0], from->address[opener], 16);
        pktseqi_contact_touch(tracker, connection, 0, &ends, time);
        ends.kind = from->kind;
        ends.port[0] = from->port[icmp ? 0 : !opener];
        pktseqi_contact_touch(tracker, connection, 2, &ends, time);
        ends.kind = ends.port[0] = 0;
        memcpy(ends.address[1], from->address[!opener], 16);
        pktseqi_contact_touch(tracker, connection, 1, &ends, time);
        ends = *from;
        pktseqi_contact_touch(tracker, connection, 3, &ends, time);
        pktseqi_slots_touch(s, slot[0]);  // it has to be newer than its contacts
    }
    for (int k = 0; k < 3; ++k) count[k] = pktseqi_contact_at(t, slot[0])->contacts[k];
}

// ---- >>tracker: packets to connections, sequences and tokens ----------------------------------
//
// The path of a packet (pktseqi_tracker_push):
//   packet_ends       both ends, the lower first, so that both directions have one key
//   tracker_take      the slot of its connection
//   place_connection, place_reference    its sequence, by either rule
//   token_key         what its token says
//   pair_push, source_push               its counters
// All memory that a packet may need is allocated before anything is changed, so running out of it
// leaves the tracker unchanged.
//
// A packet of examples/data/mixed.pcap takes 125 ns on one core: 51 for its connection, sequence
// and token, 42 for its pair's counters, 32 for its source's. It was 360 when each slot was found
// by its hash, before a connection stored the numbers of the slots that its last packet had found.

// ---- a packet's token
//
// A token says in one word what a packet does in its conversation; a model learns a class for each:
// "TCP < ack+syn 61-69 after > syn". It stays a number until its text is needed: a table spells
// each different one once, a watcher caches those that it has looked up.

// Returns the flags, or of ICMP the type and code.
static unsigned pktseqi_packet_state(const pktseq_packet *packet) {
    return pktseqi_transport_icmp(packet->transport)
               ? (unsigned)packet->icmp_type << 8 | packet->icmp_code
               : packet->flags & (unsigned)PKTSEQI_TCP_FLAGS;
}

enum { PKTSEQI_TOKEN_WIDTH = 34 };

// Packs what a token says, except the protocol, into 34 bits. Bounds of lengths are where Ethernet
// puts a packet without data (60 bytes padded, 66 with timestamps), a SYN with options (74, 78), a
// short question, and a full segment (above 1300 through any tunnel).
//   before   the connection's last packet, or NULL
//     | icmp | > | state, 16 bits | class of length, 4 | any before | same sender | its state, 10 |
static uint64_t pktseqi_token_key(const pktseq_packet *packet, int forward, int sender,
                                  const pktseqi_connection *before) {
    static const double bound[] = {61, 70, 80, 100, 150, 300, 700, 1300};
    uint64_t key = 2u * (unsigned)pktseqi_transport_icmp(packet->transport) + (unsigned)forward;
    uint64_t size = 0;  // 0 to 8: below the first bound, .., from the last one on
    while (size < 8 && packet->length >= bound[size]) ++size;
    key = (((key << 16 | pktseqi_packet_state(packet)) << 4) | size) << 12;
    if (!before) return key;
    return key | 1u << 11 | (before->sender == sender ? 1u << 10 : 0) | before->state;
}

// Appends the names of the flags that are set, "ack+syn", from the highest bit down; "-" for none.
// The names are those of the columns.
static void pktseqi_put_flags(pktseqi_text *t, uint64_t flags) {
    if (!flags) pktseqi_put_text(t, "-");
    for (int f = PKTSEQI_COL_RES, any = 0; f >= 0; --f) {
        if (!(flags >> f & 1)) continue;
        pktseqi_put(t, any ? "+%s" : "%s", pktseqi_known[f].name);
        any = 1;
    }
}

// Appends a token as text: "TCP < ack+syn 61-69 after > syn", "ICMP < 0/0 80-99 after > 8".
static void pktseqi_token_text(pktseqi_text *t, uint64_t key, const char *protocol) {
    static const char *const size[] = {"<61",     "61-69",   "70-79",    "80-99", "100-149",
                                       "150-299", "300-699", "700-1299", "1300+"};
    int icmp = (int)(key >> 33 & 1), forward = (int)(key >> 32 & 1), same = (int)(key >> 10 & 1);
    size_t state = (size_t)(key >> 16) & 65535, before = (size_t)key & PKTSEQI_TCP_FLAGS;
    pktseqi_put(t, "%s %s ", protocol, forward ? ">" : "<");
    if (icmp) pktseqi_put(t, "%z/%z", state >> 8, state & 255);
    else pktseqi_put_flags(t, state);
    pktseqi_put(t, " %s ", size[key >> 12 & 15]);
    if (!(key >> 11 & 1)) {
        pktseqi_put_text(t, "first");
        return;
    }
    pktseqi_put(t, "after %s ", forward == same ? ">" : "<");
    if (icmp) pktseqi_put(t, "%z", before);
    else pktseqi_put_flags(t, before);
}

// The token may be any number: bits beyond a token's, and a class of length that does not exist,
// are refused before they index anything.
PKTSEQ_DEF pktseq_status pktseq_token_text(uint64_t token, const char *protocol, char *text,
                                           size_t size) {
    pktseqi_text t;
    if (!protocol || !text || size == 0 || token >> PKTSEQI_TOKEN_WIDTH || (token >> 12 & 15) > 8)
        return PKTSEQ_ERROR_ARGUMENT;
    t = pktseqi_text_fixed(text, size);
    pktseqi_token_text(&t, token, protocol);
    return PKTSEQ_OK;
}

// ---- connections and sequences
//
// A packet's place is its connection, the open sequence of that connection, and its position there.
// Both rules fill in the same fields, so codec, detector and watcher do not depend on the rule.
// Numbers of connections and sequences rise as they begin and are never reused; slots are, which is
// why a caller that stores data by slot is notified when a sequence ends.

// Returns the type of the request that an ICMP message of this type answers, so that both have the
// same connection; else the type itself. The table is short, so it is searched: packets of ICMP are
// few.
//   source: iana.org/assignments/icmp-parameters, icmpv6-parameters
static unsigned pktseqi_icmp_class(unsigned transport, unsigned type) {
    static const unsigned char answer[][3] = {
        {1, 0, 8},      {1, 14, 13},    {1, 16, 15},    {1, 18, 17},    {58, 129, 128},
        {58, 131, 130}, {58, 132, 130}, {58, 143, 130}, {58, 134, 133}, {58, 136, 135},
        {58, 140, 139}, {58, 145, 144}, {58, 147, 146}};
    for (size_t i = 0; i < PKTSEQI_LENGTH(answer); ++i)
        if (answer[i][0] == transport && answer[i][1] == type) return answer[i][2];
    return type;
}

// Fills in both ends of a packet's connection, the lower first. Returns which of them sent it. If
// both have the same address, the ports decide.
static int pktseqi_packet_ends(const pktseq_packet *packet, pktseqi_ends *ends) {
    int order = memcmp(packet->src, packet->dst, 16);
    int icmp = pktseqi_transport_icmp(packet->transport);
    int swap = order > 0 || (order == 0 && !icmp && packet->src_port > packet->dst_port);
    memset(ends, 0, sizeof *ends);  // it is compared as bytes
    memcpy(ends->address[swap], packet->src, 16);
    memcpy(ends->address[!swap], packet->dst, 16);
    ends->kind = packet->transport;
    if (icmp) {  // the request's type and the identifier: one ping is one connection
        ends->port[0] = (uint16_t)pktseqi_icmp_class(packet->transport, packet->icmp_type);
        ends->port[1] = packet->icmp_id;
    } else {
        ends->port[swap] = packet->src_port;
        ends->port[!swap] = packet->dst_port;
    }
    return swap;
}

// Returns 8 mixed bits of the ends of a connection.
static size_t pktseqi_ends_bits(const pktseqi_ends *ends) {
    uint64_t word[sizeof *ends / 8];
    memcpy(word, ends, sizeof word);
    word[0] = ((word[0] ^ word[1]) * 31 + (word[2] ^ word[3])) * 31 + word[4];
    return (size_t)(word[0] * 0x9e3779b97f4a7c15u >> 56);
}

// Ends connections that have been idle for too long at this time. They are in the order of use, not
// of time: after a clock has jumped back, one may wait for another, so place_connection checks the
// time again.
static void pktseqi_tracker_expire(pktseq_tracker *tracker, double now) {
    const pktseqi_slots *s = &tracker->state->table[PKTSEQI_CONNECTIONS];
    uint32_t oldest;
    while (tracker->rule.kind == PKTSEQ_RULE_CONNECTION &&
           (oldest = pktseqi_slots_oldest(s)) != 0 &&
           now - pktseqi_slots_at(s, oldest)->time > tracker->rule.idle)
        pktseqi_tracker_evict(tracker, PKTSEQI_CONNECTIONS, now);
}

// Finds a packet's place by connection: fills in connection, sequence, position and direction.
// Returns 1 if it begins a connection, which is after silence or, as ports are reused, by a SYN
// after the end of the previous one. A full sequence ends when its connection's next packet comes,
// not before, since there may be none.
//   slot     of the connection, whose time is still that of its last packet
//   sender   which of its ends the packet is from
static int pktseqi_place_connection(pktseq_tracker *tracker, const pktseq_packet *packet,
                                    uint32_t slot, int sender, pktseq_tracked *out) {
    pktseqi_connection *c = pktseqi_connection_at(tracker->state, slot);
    unsigned flags = packet->transport == PKTSEQI_TCP ? packet->flags : 0;
    int syn = (flags & (PKTSEQI_TCP_SYN | PKTSEQI_TCP_ACK)) == PKTSEQI_TCP_SYN;
    int begins = !c->known || packet->time - c->slot.time > tracker->rule.idle ||
                 (syn && c->closing);
    if (c->position && (begins || c->position >= tracker->rule.max_length)) {
        pktseqi_tracker_end(tracker, slot);
        c->position = 0;
    }
    if (begins) {
        c->closing = 0;
        c->opener = (unsigned char)sender;
        c->number = tracker->connections++;
    }
    if (c->position == 0) c->sequence = tracker->sequences++;
    out->slot = slot - 1;  // for callers they begin at 0
    out->connection = c->number;
    out->sequence = c->sequence;
    out->position = c->position++;
    out->direction = c->opener == sender;
    out->same_connection = out->position > 0;
    if (flags & (PKTSEQI_TCP_FIN | PKTSEQI_TCP_RESET)) c->closing = 1;
    return begins;
}

// Finds a packet's place by the reference's rule, or in the caller's sequences (begin 0 or 1).
// There is one open sequence, in slot 0, whose packets may be of any connection; only its first
// packet's source and time are remembered.
static void pktseqi_place_reference(pktseq_tracker *tracker, const pktseq_packet *packet,
                                    const pktseqi_ends *ends, int begin, pktseq_tracked *out) {
    const pktseq_rule *rule = &tracker->rule;
    pktseqi_tracking *t = tracker->state;
    int forward = memcmp(packet->src, t->source, 16) == 0;
    if (begin < 0)  // none is open; it is full; or it is long enough, and this packet is of others
        begin = t->position == 0 || t->position >= rule->max_length ||
                (t->position >= rule->min_length &&
                 ((!forward && memcmp(packet->dst, t->source, 16) != 0) ||
                  packet->time - t->begin > rule->window));
    if (begin) {
        if (t->position) pktseqi_tracker_end(tracker, 0);
        ++tracker->sequences;
        t->position = 0;
        t->begin = packet->time;
        memcpy(t->source, packet->src, 16);
    }
    out->slot = 0;
    out->connection = out->sequence = tracker->sequences - 1;
    out->position = t->position++;
    out->direction = begin || forward;
    out->same_connection = !begin && memcmp(ends, &t->previous, sizeof *ends) == 0;
    t->previous = *ends;
}

// Allocates memory for one more packet, so that nothing can fail once the state is changed: one
// connection, one pair, one packet, and a source with three contacts. Returns 0 if there is none.
static int pktseqi_tracker_reserve(pktseq_tracker *tracker) {
    const pktseq_allocator *allocator = &tracker->allocator;
    pktseqi_slots *s = tracker->state->table;
    return pktseqi_slots_reserve(allocator, &s[PKTSEQI_CONNECTIONS], 1) &&
           (tracker->without_sources ||
            pktseqi_slots_reserve(allocator, &s[PKTSEQI_CONTACTS], 4)) &&
           (tracker->without_pairs || (pktseqi_slots_reserve(allocator, &s[PKTSEQI_PAIRS], 1) &&
                                       pktseqi_ring_reserve(allocator, tracker->state)));
}

// Tracks a packet, and fills in all but the protocol. This is the only way into the state, for
// files and live.
//   begin   1 or 0 if the caller knows whether it begins a sequence, else -1
//   out     counters that are turned off are left unchanged
static pktseq_status pktseqi_tracker_push(pktseq_tracker *tracker, const pktseq_packet *packet,
                                          int begin, pktseq_tracked *out) {
    int by_connection = tracker->rule.kind == PKTSEQ_RULE_CONNECTION && begin < 0, sender, recent;
    pktseqi_tracking *t = tracker->state;
    pktseqi_connection *c;
    pktseqi_ends ends;
    uint32_t slot, last, *recently;
    unsigned opener;
    if (!pktseqi_tracker_reserve(tracker)) return PKTSEQ_ERROR_MEMORY;
    sender = pktseqi_packet_ends(packet, &ends);
    ++tracker->packets;  // from here on nothing fails
    if (by_connection) pktseqi_tracker_expire(tracker, packet->time);
    last = t->last;
    recently = &t->recent[pktseqi_ends_bits(&ends)];
    slot = t->last = *recently = pktseqi_tracker_take(tracker, PKTSEQI_CONNECTIONS, &ends,
                                                      *recently, packet->time);
    c = pktseqi_connection_at(t, slot);
    opener = c->opener;
    recent = c->known && packet->time - c->slot.time <= pktseqi_token_seconds;
    if (by_connection) {
        if (pktseqi_place_connection(tracker, packet, slot, sender, out)) recent = 0;
    } else {
        // Here addresses tell the direction, so two ends with one address are one.
        sender = memcmp(packet->src, ends.address[0], 16) != 0;
        pktseqi_place_reference(tracker, packet, &ends, begin, out);
        if (!recent) c->opener = (unsigned char)sender;
    }
    out->token = pktseqi_token_key(packet, out->direction, sender, recent ? c : NULL);
    if (!c->known) last = 0;  // the slot was another connection's
    // What the next packet's token says of this one: of ICMP the type, without the code.
    c->known = 1;
    c->sender = (unsigned char)sender;
    c->state = (uint16_t)pktseqi_packet_state(packet);
    if (pktseqi_transport_icmp(packet->transport)) c->state >>= 8;
    c->slot.time = packet->time;
    if (!tracker->without_pairs) pktseqi_pair_push(tracker, c, packet, out->counter);
    if (!tracker->without_sources)
        pktseqi_source_push(tracker, c, slot == last && opener == c->opener, packet->time,
                            out->counter + (PKTSEQI_COL_SOURCE - PKTSEQI_COL_PAIR));
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_tracker_init(pktseq_tracker *tracker, const pktseq_rule *rule,
                                             const pktseq_allocator *allocator,
                                             pktseq_error *err) {
    static const size_t size[] = {sizeof(pktseqi_connection), sizeof(pktseqi_pair),
                                  sizeof(pktseqi_contact), sizeof(pktseqi_remembered)};
    const pktseq_rule standard = pktseq_rule_default();
    pktseqi_tracking *t;
    pktseq_rule *limit;
    pktseq_status status;
    if (!tracker) return pktseqi_bad_argument(err, "tracker is NULL");
    memset(tracker, 0, sizeof *tracker);
    if (!rule) return pktseqi_bad_argument(err, "rule is NULL");
    status = pktseqi_rule_check(rule, err);
    if (status) return status;
    tracker->allocator = pktseqi_allocator(allocator);
    t = (pktseqi_tracking *)pktseqi_alloc_zeroed(&tracker->allocator, 1, sizeof *t);
    if (!t) return pktseqi_no_memory(err);
    tracker->rule = *rule;
    limit = &tracker->rule;
    if (!limit->max_connections) limit->max_connections = standard.max_connections;
    if (!limit->max_pairs) limit->max_pairs = standard.max_pairs;
    if (!limit->max_packets) limit->max_packets = standard.max_packets;
    tracker->state = t;
    for (int i = 0; i < PKTSEQI_TABLES; ++i) t->table[i].size = size[i];
    t->table[PKTSEQI_CONNECTIONS].limit = limit->max_connections;
    t->table[PKTSEQI_PAIRS].limit = limit->max_pairs;
    // Three more, so that one packet's source and contacts have room.
    t->table[PKTSEQI_CONTACTS].limit = limit->max_pairs + 3;
    t->table[PKTSEQI_PACKETS].limit = limit->max_packets;
    // A rule without a secret gets addresses of memory, which most systems choose at random: not a
    // secret to rely on, but no packet can know it.
    t->secret[0] = rule->secret[0] ^ (uint64_t)(uintptr_t)t;
    t->secret[1] = rule->secret[1] ^ (uint64_t)(uintptr_t)&standard;
    return pktseqi_ok(err);
}

// Returns what a rule makes of a protocol's name: NULL if its packets are dropped, "SMTP" or the
// name itself. Wireshark spells SMTP/IMF either way, by its version.
static const char *pktseqi_protocol_name(const pktseq_rule *rule, const char *name) {
    static const char *const drop[] = {"FINGER", "FTP", "FTP-DATA", "TIME"};
    if (!rule->reference_names) return name;
    for (size_t k = 0; k < PKTSEQI_LENGTH(drop); ++k)
        if (strcmp(name, drop[k]) == 0) return NULL;
    return strcmp(name, "SMTP/IMF") == 0 || strcmp(name, "SMTP|IMF") == 0 ? "SMTP" : name;
}

// A dropped packet belongs to no connection, window or sequence. A time that is not finite is
// refused, as it would be older or newer than all others for ever.
PKTSEQ_DEF pktseq_status pktseq_tracker_push(pktseq_tracker *tracker, const pktseq_packet *packet,
                                             pktseq_tracked *tracked) {
    int tcp_only;
    if (!tracker || !tracker->state || !packet || !packet->protocol || !tracked ||
        !pktseqi_finite(&packet->time))
        return PKTSEQ_ERROR_ARGUMENT;
    memset(tracked, 0, sizeof *tracked);
    tracked->protocol = pktseqi_protocol_name(&tracker->rule, packet->protocol);
    tcp_only = tracker->rule.tcp_only || tracker->rule.reference_names;
    tracked->dropped = !tracked->protocol || (tcp_only && packet->transport != PKTSEQI_TCP);
    return tracked->dropped ? PKTSEQ_OK : pktseqi_tracker_push(tracker, packet, -1, tracked);
}

// By the reference's rule the open sequence is over once no packet can join it; one shorter than
// min_length stays open, as any packet joins it. Counters need no clock: each is computed at the
// time of its own packet.
PKTSEQ_DEF void pktseq_tracker_tick(pktseq_tracker *tracker, double now) {
    pktseqi_tracking *t = tracker ? tracker->state : NULL;
    if (!t) return;
    pktseqi_tracker_expire(tracker, now);
    if (tracker->rule.kind == PKTSEQ_RULE_REFERENCE && t->position >= tracker->rule.min_length &&
        now - t->begin > tracker->rule.window) {
        pktseqi_tracker_end(tracker, 0);
        t->position = 0;
    }
}

// Turns on the counters that a derived column is made of, after without_pairs and without_sources
// have turned all off: they take two thirds of a packet's time.
static void pktseqi_tracker_needs(pktseq_tracker *tracker, size_t known) {
    if (pktseqi_known[known].is & PKTSEQI_IS_PAIR) tracker->without_pairs = 0;
    if (pktseqi_known[known].is & PKTSEQI_IS_SOURCE) tracker->without_sources = 0;
}

PKTSEQ_DEF void pktseq_tracker_free(pktseq_tracker *tracker) {
    if (!tracker) return;
    for (int i = 0; tracker->state && i < PKTSEQI_TABLES; ++i)
        pktseqi_slots_free(&tracker->allocator, &tracker->state->table[i]);
    pktseqi_free(&tracker->allocator, tracker->state);
    memset(tracker, 0, sizeof *tracker);
}

// ---- >>segment: packets to rows of a table, grouped by sequence -------------------------------
//
// Tables (>>sequences) and captures (>>packets) go through the tracker in one way. Both call
//   segment_begin      a tracker, no columns yet
//   segment_add        a column to be made: a member of packets, or what the tracker derives
//   segment_batch      for every PKTSEQI_BATCH packets: they are tracked (segment_row), and what
//                      each column says of them is staged and appended (segment_stage)
//   segment_end        after the last packet:
//     segment_count      numbers of rows and sequences; a remainder is dropped
//     segment_names      the texts of tokens
//     segment_sort       where rows move to be grouped by sequence
//     segment_commit     the table changes; everything before may fail, this cannot
//   segment_free       in any case
//
// A batch's packets and what the tracker says of them, 18 kB, stay in the first-level cache, and a
// column's type is tested once a batch. Memory besides the table: 4 bytes a row for its sequence,
// and if rows move another 12 for the order and one column on its way. Columns are as narrow as
// their values allow: most counters fit a byte, and all fifteen derived columns take 38 bytes a row
// of examples/data/mixed.pcap, of which three that are not whole numbers have 24.

enum {
    PKTSEQI_MADE = PKTSEQI_COLUMNS - PKTSEQI_COL_DIRECTION,  // columns that can be derived
    PKTSEQI_BATCH = 64                                       // rows, at most PKTSEQI_BLOCK
};

// A table on its way through the tracker. A table that is tracked is neither written to nor
// replaced before segment_commit: what is made for it is stored here, and freed with the segmenter
// unless it has become the table's. A capture's table is empty, so its columns are the table's at
// once.
typedef struct pktseqi_segmenter {
    pktseq_table *table, out;  // as it is; and what will be new
    const pktseq_rule *rule;   // NULL: the sequences stay those of the table
    pktseq_tracker tracker;
    // The current batch, PKTSEQI_BATCH packets at most
    pktseq_packet packet[PKTSEQI_BATCH];
    uint64_t frame[PKTSEQI_BATCH];          // numbers of their frames, from 1; of captures
    uint32_t text[3][PKTSEQI_BATCH];        // src_ip (captures only), dst_ip (likewise) and
                                            //   protocol, as indices among the names of their
                                            //   columns; protocol UINT32_MAX = dropped
    pktseq_tracked tracked[PKTSEQI_BATCH];  // what the tracker says; token: its number
    // Columns that are made
    pktseq_column *made;       // (mades) in out.column after room for the table's, or the table's
    size_t mades, known[PKTSEQI_COLUMNS];  // how many, and which; each is there at most once
    size_t room;               // rows that `sequence` and wider cells have room for
    const pktseq_column *protocol;  // whose names the protocols in `text` are; NULL = none
    // For tables: columns that packets are made of, NULL if missing or of another kind. Without
    // dst_ip it is src_ip.
    pktseq_column *from[PKTSEQI_COL_DIRECTION];
    uint32_t *id;              // (names of src_ip + names of dst_ip) equal texts, equal numbers;
                               //   if there is one column of addresses, its names come twice
    uint32_t *becomes;         // (names of protocol) the index that each gets, UINT32_MAX = dropped
    uint32_t smtp;             // the index that renamed ones get
    int renames;               // there are such
    size_t begun;              // sequences of the table that have begun, if they stay
    // What the tracker has said so far
    double time;               // of the last packet
    size_t clock_back;         // packets before the previous one's time
    pktseqi_slots tokens;      // different ones; a token's number is its slot's, less 1
    uint64_t recent[256][2];   // key of a recent token plus 1, and its number
    uint32_t *sequence;        // (room) of each row; rows of those from out.sequences on leave
    size_t connections;        // room in out.connection
    uint32_t *order;           // (out.rows, room for all) old row of each; NULL = none moves
    void *scratch;             // (out.rows) cells of the widest type
} pktseqi_segmenter;

// Prepares a segmenter of a table. Counters are off until a column needs them. segment_free is safe
// also after a failure.
static pktseq_status pktseqi_segment_begin(pktseqi_segmenter *c, pktseq_table *table,
                                           const pktseq_rule *rule, pktseq_error *err) {
    const pktseq_rule standard = pktseq_rule_default();
    pktseq_status status;
    memset(c, 0, sizeof *c);
    c->table = table;
    c->rule = rule;
    status = pktseq_tracker_init(&c->tracker, rule ? rule : &standard, &table->allocator, err);
    c->tracker.without_pairs = c->tracker.without_sources = 1;
    return status;
}

// Adds a column to those that are made; its pktseq_column is the caller's to set up. Only tokens
// need a table of slots; its limit is that of slot numbers, since there are no more tokens than
// rows.
static void pktseqi_segment_add(pktseqi_segmenter *c, size_t known) {
    c->known[c->mades++] = known;
    pktseqi_tracker_needs(&c->tracker, known);
    if (known != PKTSEQI_COL_TOKEN) return;
    c->tokens.size = sizeof(pktseqi_slot);
    c->tokens.limit = UINT32_MAX / 2;
}

// Numbers a token by first appearance. Its key, 30 bits of protocol before the token's 34, is
// stored as an address of a slot: tokens are few (460 in examples/data/mixed.pcap), so the larger
// slots do not matter, and no second kind of hash table is needed. Most are among the recent ones,
// which need no keyed hash. Returns 0 if there is no memory.
//   protocol   an index among the names of its column
//   token      in its key, out its number
static int pktseqi_segment_token(pktseqi_segmenter *c, uint64_t protocol, uint64_t *token) {
    uint64_t key = protocol << PKTSEQI_TOKEN_WIDTH | *token;
    uint64_t *recent = c->recent[key * 0x9e3779b97f4a7c15u >> 56];
    uint32_t hash, i;
    pktseqi_ends ends;
    *token = recent[1];
    if (recent[0] == key + 1) return 1;
    hash = (uint32_t)pktseqi_hash(c->tracker.state->secret, &key, 1);
    memset(&ends, 0, sizeof ends);
    memcpy(&ends, &key, sizeof key);
    if (!pktseqi_slots_reserve(&c->table->allocator, &c->tokens, 1)) return 0;
    i = pktseqi_slots_find(&c->tokens, &ends, hash);
    if (!i) i = pktseqi_slots_add(&c->tokens, &ends, hash);
    recent[0] = key + 1;
    recent[1] = *token = i - 1;  // no slot is ever removed, so numbers rise by one
    return 1;
}

// Tracks packet `at` of the batch, which becomes a row below c->room. Returns 0 if there is no
// memory.
static int pktseqi_segment_row(pktseqi_segmenter *c, size_t row, size_t at, uint32_t protocol) {
    const pktseq_packet *packet = &c->packet[at];
    pktseq_tracked *tracked = &c->tracked[at];
    // Sequences of a table that stay: start has one entry more than sequences, rows.
    int begin = c->rule ? -1 : c->table->start[c->begun] == row;
    c->begun += begin == 1;
    // Packets with an earlier clock are counted, not sorted: files are in the order of arrival.
    if (c->tracker.packets) c->clock_back += packet->time < c->time;
    c->time = packet->time;
    if (pktseqi_tracker_push(&c->tracker, packet, begin, tracked)) return 0;
    c->sequence[row] = (uint32_t)tracked->sequence;  // there are no more of them than rows
    // By connection sequences begin one after the other, so room grows at their end alone.
    if (c->rule && c->rule->kind == PKTSEQ_RULE_CONNECTION && tracked->position == 0) {
        if (tracked->sequence == c->connections &&
            !pktseqi_grow(&c->table->allocator, &c->out.connection, &c->connections,
                          c->connections, 256, sizeof *c->out.connection))
            return 0;
        c->out.connection[tracked->sequence] = (size_t)tracked->connection;
    }
    return !c->tokens.size || pktseqi_segment_token(c, protocol, &tracked->token);
}

// Returns 1 if this column of packets is a text: both addresses and the protocol, which follow each
// other in the registry.
static int pktseqi_packet_text(size_t known) {
    return known == PKTSEQI_COL_PROTOCOL || pktseqi_known[known].is & PKTSEQI_IS_ADDRESS;
}

// Stages a column of the first (count) packets of the batch.
static void pktseqi_segment_stage(const pktseqi_segmenter *c, size_t known, size_t count,
                                  pktseqi_staged *to) {
    if (pktseqi_packet_text(known))
        memcpy(to->text, c->text[known - PKTSEQI_COL_SRC_IP], count * sizeof *to->text);
    else if (known == PKTSEQI_COL_TOKEN)
        for (size_t k = 0; k < count; ++k) to->text[k] = (uint32_t)c->tracked[k].token;
    else if (known == PKTSEQI_COL_NUMBER)
        for (size_t k = 0; k < count; ++k) to->number[k] = (double)c->frame[k];
    else
        pktseqi_packets_get(c->packet, c->tracked, count, known, pktseqi_known_whole(known), to);
}

// Makes the batch (count) the rows from `first` on, for which there is room: tracks the packets and
// appends to all columns, which may have to become wider (a counter above 255 does not fit a byte).
// Dropped packets are not tracked, as if they had never been captured; their rows leave at the end.
// Returns 0 if there is no memory.
static int pktseqi_segment_batch(pktseqi_segmenter *c, size_t first, size_t count) {
    const uint32_t *protocol = c->text[PKTSEQI_COL_PROTOCOL - PKTSEQI_COL_SRC_IP];
    for (size_t at = 0; at < count; ++at) {
        c->sequence[first + at] = UINT32_MAX;  // above every sequence
        if (protocol[at] == UINT32_MAX) ++c->out.counts.dropped;
        else if (!pktseqi_segment_row(c, first + at, at, protocol[at])) return 0;
    }
    for (size_t j = 0; j < c->mades; ++j) {
        pktseqi_staged to;
        pktseqi_segment_stage(c, c->known[j], count, &to);
        if (!pktseqi_column_append(&c->table->allocator, &c->made[j], first, c->room, &to,
                                   pktseqi_known_whole(c->known[j]), count))
            return 0;
    }
    return 1;
}

// ---- the end of a table
//
// All that can fail comes first, then the commit. Allocations are bounded by the number of rows.

// Counts the rows and sequences to be, without a last sequence that is too short for the
// reference's rule: all before it have as many packets as they need, or the next one would have
// joined. The tracker's position is the number of packets in it.
//   fails with DATA (no sequence is left)
static pktseq_status pktseqi_segment_count(pktseqi_segmenter *c, pktseq_error *err) {
    const pktseq_tracker *tracker = &c->tracker;
    size_t walked = (size_t)tracker->packets, last = tracker->state->position;
    pktseq_table *out = &c->out;
    // The tracker has seen the remainder, so its connections and evictions count.
    out->rows = walked;
    out->counts.clock_back = c->clock_back;
    out->sequences = (size_t)tracker->sequences;
    out->counts.evicted_connections = (size_t)tracker->evicted_connections;
    out->counts.evicted_pairs = (size_t)(tracker->evicted_pairs + tracker->evicted_contacts);
    out->counts.evicted_packets = (size_t)tracker->evicted_packets;
    if (c->rule && c->rule->kind == PKTSEQ_RULE_REFERENCE && last && last < c->rule->min_length) {
        --out->sequences;
        out->rows -= last;
        out->counts.remainder += last;
    }
    if (out->sequences) return PKTSEQ_OK;
    return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0,
                         "found %z packet%S%s, expected at least %z for a sequence", walked,
                         walked < c->table->rows ? " of the protocols that are not dropped" : "",
                         c->rule->min_length);
}

// Writes the names of tokens, each once, in the order of their numbers. Some may be of rows that
// leave: a column may have names that no row has. A protocol that is renamed to SMTP still has its
// old name here, see segment_rename. Returns 0 if there is no memory.
static int pktseqi_segment_names(pktseqi_segmenter *c) {
    const pktseq_allocator *allocator = &c->table->allocator;
    pktseq_column *column = c->made;
    uint64_t mask = ((uint64_t)1 << PKTSEQI_TOKEN_WIDTH) - 1, key;
    if (!c->tokens.used) return 1;
    while (c->known[column - c->made] != PKTSEQI_COL_TOKEN) ++column;
    column->names = (char **)pktseqi_alloc(allocator, c->tokens.used, sizeof *column->names);
    for (uint32_t i = 1; column->names && i <= c->tokens.used; ++i) {
        pktseqi_text t = pktseqi_text_growing(allocator);
        memcpy(&key, &pktseqi_slots_at(&c->tokens, i)->ends, sizeof key);
        pktseqi_token_text(&t, key & mask,
                           pktseqi_protocol_name(&c->tracker.rule,
                                                 c->protocol->names[key >> PKTSEQI_TOKEN_WIDTH]));
        if (t.failed) {
            pktseqi_free(allocator, t.data);
            return 0;
        }
        column->names[column->name_count++] = t.data;
    }
    return column->names != NULL;
}

// Computes where rows move to be grouped by sequence, in their order: a counting sort, two passes
// over 4 bytes a row. start[s + 2] counts the rows of s, then start[s + 1] is where s begins, then,
// as rows are placed, where it continues; in the end start[s] is where s begins. If no row moves or
// leaves (one connection, the reference's rule), the order is dropped and the table keeps its rows.
// Returns 0 if there is no memory.
static int pktseqi_segment_sort(pktseqi_segmenter *c) {
    const pktseq_allocator *allocator = &c->table->allocator;
    size_t rows = c->table->rows, sequences = c->out.sequences, *start;
    int moves = c->out.rows < rows;
    start = c->out.start = (size_t *)pktseqi_alloc_zeroed(allocator, sequences + 2, sizeof *start);
    c->order = (uint32_t *)pktseqi_alloc_large(allocator, rows, sizeof *c->order);
    if (!start || !c->order) return 0;
    // At most sequences + 1, below the sequences + 2 that there are.
    for (size_t row = 0; row < rows; ++row)
        if (c->sequence[row] < sequences) ++start[c->sequence[row] + 2];
    for (size_t s = 2; s <= sequences; ++s) start[s] += start[s - 1];
    for (size_t row = 0; row < rows; ++row) {
        size_t s = c->sequence[row], to;
        if (s >= sequences) continue;
        to = start[s + 1]++;  // where s continues; in the end, where the next one begins
        c->order[to] = (uint32_t)row;
        moves |= to != row;
    }
    if (!moves) {
        pktseqi_free(allocator, c->order);
        c->order = NULL;
        return 1;
    }
    c->scratch = pktseqi_alloc_large(allocator, c->out.rows, sizeof(double));
    return c->scratch != NULL;
}

// Moves the cells of a column, or another array of such a type, into the new order, by way of the
// scratch: cells of a table filled by hand are the program's, so they cannot be replaced. A loop
// for each type is one load and one store a cell; a memcpy of its bytes would be a call.
//   cell    (c->table->rows) in, (c->out.rows) out
static void pktseqi_segment_move(const pktseqi_segmenter *c, void *cell, pktseq_cell type) {
    // Local copies, since a byte that is stored could alias *c.
    const uint32_t *order = c->order;
    const size_t rows = c->out.rows;
    void *to = c->scratch;
#define PKTSEQI_MOVE(type) \
    for (size_t i = 0; i < rows; ++i) ((type *)to)[i] = ((const type *)cell)[order[i]]
    PKTSEQI_BY_TYPE(type, PKTSEQI_MOVE)
#undef PKTSEQI_MOVE
    memcpy(cell, to, rows * pktseqi_cell_bytes(type));
}

// Gives rows of renamed protocols the name SMTP, and counts them. The name is cut in place, as it
// may be the program's own memory; the others remain as names without a row.
static void pktseqi_segment_rename(pktseqi_segmenter *c) {
    pktseq_column *column = c->from[PKTSEQI_COL_PROTOCOL];
    pktseqi_staged number;
    number.text[0] = c->smtp;
    for (size_t row = 0; row < c->table->rows; ++row) {
        uint32_t text = pktseqi_column_text_at(column, row);
        if (c->becomes[text] != c->smtp) continue;
        c->out.counts.renamed += strcmp(column->names[text], "SMTP") != 0;
        pktseqi_cells_store(column, row, &number, 1, 1);
    }
    column->names[c->smtp][strlen("SMTP")] = 0;  // of "SMTP/IMF", if there was no SMTP
}

// Moves the results to the table; cannot fail. The old start and connection are swapped with the
// new ones and freed with the segmenter. An array of columns that the program has made is left to
// it. The order of the rows becomes source_row if the table had none: both have the same meaning.
static void pktseqi_segment_commit(pktseqi_segmenter *c) {
    pktseq_table *table = c->table, *out = &c->out;
    size_t *start = table->start, *connection = table->connection;
    pktseq_column *column = table->column;
    if (c->renames) pktseqi_segment_rename(c);
    if (c->mades && out->column) {
        memcpy(out->column, column, table->column_count * sizeof *column);
        table->column = out->column;
        out->column = table->own_columns ? column : NULL;
        table->column_count += c->mades;
        table->own_columns += c->mades;
        c->mades = 0;
    }
    // New columns move, too: they are in the old order.
    for (size_t i = 0; c->order && i < table->column_count; ++i)
        pktseqi_segment_move(c, table->column[i].cell, table->column[i].type);
    if (c->order && table->source_row) {
        pktseqi_segment_move(c, table->source_row, PKTSEQ_CELL_U32);
    } else if (c->order) {
        table->source_row = c->order;
        c->order = NULL;
    }
    table->rows = out->rows;
    if (!c->rule) return;  // nothing of the sequences is new
    table->sequences = out->sequences;
    table->start = out->start;
    table->connection = out->connection;
    table->counts = out->counts;
    table->position_gaps = 0;
    out->start = start;  // to be freed
    out->connection = connection;
}

// Completes the table once all its packets have been tracked; after a failure it is unchanged.
static pktseq_status pktseqi_segment_end(pktseqi_segmenter *c, pktseq_error *err) {
    pktseq_status status = pktseqi_segment_count(c, err);
    if (status) return status;
    if (!pktseqi_segment_names(c) || (c->rule && !pktseqi_segment_sort(c)))
        return pktseqi_no_memory(err);
    pktseqi_segment_commit(c);
    return PKTSEQ_OK;
}

// Frees what has not become the table's: after a failure all that was made, else what was only
// needed on the way, and what the table had before.
static void pktseqi_segment_free(pktseqi_segmenter *c) {
    const pktseq_allocator *allocator = &c->table->allocator;
    void *const memory[] = {c->id,    c->becomes,  c->sequence,   c->out.start,
                            c->order, c->scratch,  c->out.column, c->out.connection};
    for (size_t j = 0; c->out.column && j < c->mades; ++j)
        pktseqi_column_free(allocator, &c->made[j]);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; ++i) pktseqi_free(allocator, memory[i]);
    pktseqi_slots_free(allocator, &c->tokens);
    pktseq_tracker_free(&c->tracker);
}

// ---- >>sequences: a table as packets ----------------------------------------------------------
//
// pktseq_table_track feeds a table to >>segment:
//   track_asked       arguments checked: a table may be filled by hand, nothing of it is trusted
//   track_open        names of the columns to be derived
//   track_source      columns that packets are made of; addresses and protocols as numbers
//   track_load        packets of a batch of rows, column by column

// ---- from rows to packets
//
// A table has less than a capture: addresses are any texts, numbers any numbers, and columns may be
// missing. Equal cells give equal packets; with all columns there, a table of a capture gives the
// tracker what the capture itself would.

// Returns a known column of a table, or NULL if it is missing or of another kind. Of two with that
// name the first counts, as in pktseq_table_column.
static pktseq_column *pktseqi_table_known(const pktseq_table *table, size_t known) {
    const pktseq_column *c = pktseq_table_column(table, pktseqi_known[known].name);
    int text = pktseqi_known[known].kind == PKTSEQI_VALUE_TEXT;
    if (text ? !pktseqi_column_texts(c) : !pktseqi_column_numbers(c)) return NULL;
    return &table->column[c - table->column];
}

// Checks that a table has the known columns with these bits, of which `what` is made: a derived
// column, or "sequences". The error names the first missing one and its kind.
static pktseq_status pktseqi_table_has(const pktseq_table *table, uint32_t bits, const char *what,
                                       pktseq_error *err) {
    for (size_t i = 0; i < PKTSEQI_COL_DIRECTION; ++i)
        if ((bits >> i & 1) && !pktseqi_table_known(table, i))
            return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "%s cannot be made: the table has "
                                 "no column %q of %s", what, pktseqi_known[i].name,
                                 pktseqi_known[i].kind == PKTSEQI_VALUE_TEXT ? "texts" : "numbers");
    return PKTSEQ_OK;
}

// Checks a table that will be written to. Rows are numbered with 32 bits, and UINT32_MAX marks one
// that leaves. A cell too narrow for all names could not hold that of SMTP when its protocol is
// renamed.
static pktseq_status pktseqi_track_check(const pktseq_table *table, pktseq_error *err) {
    if (!table->rows || table->rows >= UINT32_MAX || !table->column)
        return pktseqi_bad_argument(err, "the table is empty, or too large");
    for (size_t i = 0; i < table->column_count; ++i) {
        const pktseq_column *c = &table->column[i];
        if (!c->name) return pktseqi_bad_argument(err, "a column has no name");
        if (!pktseqi_column_texts(c) && !pktseqi_column_numbers(c))
            return pktseqi_bad_argument(err, "a column has neither numbers nor texts");
        if (c->names && (uint64_t)(c->name_count - 1) >> 8 * pktseqi_cell_bytes(c->type) % 64)
            return pktseqi_bad_argument(err, "a column's cells are too narrow for its names");
    }
    return pktseqi_table_check_texts(table, err);
}

// Numbers the texts of two columns together, (names of a + names of b), equal texts alike, so that
// addresses can be compared as numbers: source and destination have separate names, and a table
// filled by hand may have one text twice. Only the spelling counts; "::1" and "0::1" differ. The
// tree takes the time of reading the names once, also if they all begin alike. Returns NULL if
// there is no memory.
static uint32_t *pktseqi_common_numbers(const pktseq_allocator *allocator, const pktseq_column *a,
                                        const pktseq_column *b) {
    size_t count = pktseqi_plus(a->name_count, b->name_count), i;
    char **all = (char **)pktseqi_alloc(allocator, count, sizeof *all);
    uint32_t *id = (uint32_t *)pktseqi_alloc(allocator, count, sizeof *id);
    pktseqi_tree tree;
    memset(&tree, 0, sizeof tree);
    for (i = 0; all && id && count < PKTSEQI_LEAF && i < count; ++i) {
        // PKTSEQI_LEAF is the first number that no text of a tree can have.
        all[i] = i < a->name_count ? a->names[i] : b->names[i - a->name_count];
        if (!pktseqi_tree_put(&tree, allocator, all, (uint32_t)i, &id[i])) break;
    }
    pktseqi_free(allocator, tree.node);
    pktseqi_free(allocator, all);
    if (i == count) return id;
    pktseqi_free(allocator, id);
    return NULL;
}

// Decides what becomes of each protocol, once a name instead of once a row. Renamed ones get the
// name SMTP; if there is none, the first of them becomes it, by segment_rename at the end. Returns
// 0 if there is no memory.
static int pktseqi_track_protocols(pktseqi_segmenter *c) {
    const pktseq_rule *rule = &c->tracker.rule;
    size_t count = c->protocol->name_count;
    // A token's key has room for so many, which would be 8 GB of pointers to names.
    if (count > (size_t)1 << 30) return 0;
    c->becomes = (uint32_t *)pktseqi_alloc(&c->table->allocator, count, sizeof *c->becomes);
    if (!c->becomes) return 0;
    c->smtp = UINT32_MAX;
    for (size_t i = 0; rule->reference_names && i < count; ++i)
        if (strcmp(c->protocol->names[i], "SMTP") == 0) c->smtp = (uint32_t)i;
    for (size_t i = 0; i < count; ++i) {
        const char *name = c->protocol->names[i], *to = pktseqi_protocol_name(rule, name);
        c->becomes[i] = to ? (uint32_t)i : UINT32_MAX;
        if (!to || to == name) continue;
        if (c->smtp == UINT32_MAX) c->smtp = (uint32_t)i;
        c->becomes[i] = c->smtp;
        c->renames = 1;
    }
    return 1;
}

// Adds the derived columns that a schema has and the table lacks, in its order and each once.
// Returns 0 if there is no memory.
static int pktseqi_track_open(pktseqi_segmenter *c, const pktseq_schema *schema) {
    const pktseq_allocator *allocator = &c->table->allocator;
    c->out.column = (pktseq_column *)pktseqi_alloc_zeroed(
        allocator, pktseqi_plus(c->table->column_count, PKTSEQI_MADE), sizeof *c->out.column);
    if (!c->out.column) return 0;
    c->made = c->out.column + c->table->column_count;
    for (size_t f = 0; schema && f < schema->field_count; ++f) {
        size_t known = pktseqi_known_find(schema->field[f].column), j = 0;
        const char *name = pktseqi_known[known].name;
        if (!pktseqi_known[known].made_of || pktseq_table_column(c->table, name)) continue;
        // Two fields may use one column: a number as it is, and its logarithm.
        while (j < c->mades && c->known[j] != known) ++j;
        if (j < c->mades) continue;
        c->made[j].name = pktseqi_copy(allocator, name);
        if (!c->made[j].name) return 0;
        pktseqi_segment_add(c, known);
    }
    return 1;
}

// Looks up the columns that packets are made of. Required ones were checked before; the others,
// such as transport or the identifier of ICMP, are optional. Returns 0 if there is no memory.
static int pktseqi_track_source(pktseqi_segmenter *c) {
    pktseq_column **from = c->from;
    for (size_t k = 0; k < PKTSEQI_COL_DIRECTION; ++k) from[k] = pktseqi_table_known(c->table, k);
    // Without destinations a table still has directions, which need only sources.
    if (!from[PKTSEQI_COL_DST_IP]) from[PKTSEQI_COL_DST_IP] = from[PKTSEQI_COL_SRC_IP];
    if (from[PKTSEQI_COL_SRC_IP])
        c->id = pktseqi_common_numbers(&c->table->allocator, from[PKTSEQI_COL_SRC_IP],
                                       from[PKTSEQI_COL_DST_IP]);
    c->protocol = from[PKTSEQI_COL_PROTOCOL];
    return (c->id || !from[PKTSEQI_COL_SRC_IP]) && (!c->protocol || pktseqi_track_protocols(c));
}

// Makes the packets of rows [first, first + count), column by column. Addresses are numbers of
// texts, in the first four bytes. Without a column its member is 0, and the transport TCP, since
// tables without that column are of TCP alone. The texts were checked, so every index is below
// name_count.
static void pktseqi_track_load(pktseqi_segmenter *c, size_t first, size_t count) {
    uint32_t *protocol = c->text[PKTSEQI_COL_PROTOCOL - PKTSEQI_COL_SRC_IP];
    size_t known, at, names = 0;
    double number[PKTSEQI_BATCH];
    memset(c->packet, 0, count * sizeof *c->packet);
    for (at = 0; at < count; ++at) c->packet[at].transport = PKTSEQI_TCP;
    for (known = 0; known < PKTSEQI_COL_DIRECTION; ++known) {
        if (!c->from[known]) continue;
        pktseqi_cells_load(c->from[known], first, count, number);
        // In the machine's byte order: addresses are only compared for equality.
        if (known == PKTSEQI_COL_SRC_IP) {
            for (at = 0; at < count; ++at)
                memcpy(c->packet[at].src, &c->id[(size_t)number[at]], sizeof *c->id);
        } else if (known == PKTSEQI_COL_DST_IP && c->from[PKTSEQI_COL_SRC_IP]) {
            if (c->from[known] != c->from[PKTSEQI_COL_SRC_IP])
                names = c->from[PKTSEQI_COL_SRC_IP]->name_count;
            for (at = 0; at < count; ++at)
                memcpy(c->packet[at].dst, &c->id[names + (size_t)number[at]], sizeof *c->id);
        } else if (known == PKTSEQI_COL_PROTOCOL) {
            for (at = 0; at < count; ++at) protocol[at] = c->becomes[(size_t)number[at]];
        } else if (pktseqi_known[known].kind != PKTSEQI_VALUE_TEXT && pktseqi_known[known].size) {
            pktseqi_packets_put(c->packet, count, known, number);
        }
    }
}

// Tracks every row of the table, in order.
//   fails with MEMORY, DATA (a time that is not finite, which no rule can place)
static pktseq_status pktseqi_track_rows(pktseqi_segmenter *c, pktseq_error *err) {
    const size_t rows = c->table->rows;
    c->sequence = (uint32_t *)pktseqi_alloc_large(&c->table->allocator, rows, sizeof *c->sequence);
    if (!c->sequence) return pktseqi_no_memory(err);
    c->room = rows;
    for (size_t first = 0, count; first < rows; first += count) {
        count = rows - first < PKTSEQI_BATCH ? rows - first : (size_t)PKTSEQI_BATCH;
        pktseqi_track_load(c, first, count);
        for (size_t at = 0; c->rule && at < count; ++at)
            if (!pktseqi_finite(&c->packet[at].time))
                return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "column \"timestamp\": found %f in "
                                     "row %z, expected a finite number", c->packet[at].time,
                                     first + at);
        if (!pktseqi_segment_batch(c, first, count)) return pktseqi_no_memory(err);
    }
    return PKTSEQ_OK;
}

// ---- the functions of the API

PKTSEQI_COLD

// Checks the arguments. Sets *wanted if the table lacks derived columns; without them and without a
// rule there is nothing to do, and only the cheap checks are run, since readers call this each
// time.
static pktseq_status pktseqi_track_asked(const pktseq_table *table, const pktseq_rule *rule,
                                         const pktseq_schema *schema, int *wanted,
                                         pktseq_error *err) {
    pktseq_status status = schema ? pktseqi_schema_check(schema, err) : PKTSEQ_OK;
    if (!status && rule) status = pktseqi_rule_check(rule, err);
    if (!status)
        status = rule ? pktseqi_track_check(table, err) : pktseqi_table_check(table, err);
    // Columns of sequences come first, so that an error names the more important one.
    if (!status && rule)
        status = pktseqi_table_has(table, pktseqi_rule_needs(rule), "sequences", err);
    for (size_t f = 0; !status && schema && f < schema->field_count; ++f) {
        const char *name = schema->field[f].column;
        size_t known = pktseqi_known_find(name);
        if (!pktseqi_known[known].made_of || pktseq_table_column(table, name)) continue;
        status = pktseqi_table_has(table, pktseqi_known[known].made_of, name, err);
        *wanted = 1;
    }
    if (status || rule || !*wanted) return status;  // with a rule all is checked above
    status = pktseqi_table_check_starts(table, err);
    return status ? status : pktseqi_track_check(table, err);
}

PKTSEQ_DEF pktseq_status pktseq_table_track(pktseq_table *table, const pktseq_rule *rule,
                                            const pktseq_schema *schema, pktseq_error *err) {
    pktseqi_segmenter c;
    pktseq_status status;
    int wanted = 0;
    if (!table || (!rule && !schema))
        return pktseqi_bad_argument(err, "table is NULL, or both rule and schema are");
    status = pktseqi_track_asked(table, rule, schema, &wanted, err);
    if (status || (!rule && !wanted)) return status ? status : pktseqi_ok(err);
    status = pktseqi_segment_begin(&c, table, rule, err);
    // Counts continue if they add up to the rows; a program that fills a table need not count. A
    // clock that goes back and evictions are those of this call alone.
    if (table->counts.packets == table->rows + pktseqi_counts_left_out(&table->counts))
        c.out.counts = table->counts;
    else c.out.counts.packets = table->rows;
    if (!status && (!pktseqi_track_open(&c, schema) || !pktseqi_track_source(&c)))
        status = pktseqi_no_memory(err);
    if (!status) status = pktseqi_track_rows(&c, err);
    if (!status) status = pktseqi_segment_end(&c, err);
    pktseqi_segment_free(&c);
    return status ? status : pktseqi_ok(err);
}

PKTSEQI_COLD_END

// ---- >>packets: a capture as packets ----------------------------------------------------------
//
// Feeds a pcap or pcapng file to >>segment. Its columns are the members of a pktseq_packet, so
// there is nothing to parse; columns are requested as of CSV. Packets are tracked while they are
// read, so columns that only the tracker needs, such as the flags, are never made. With all columns
// made first, tracked from there and moved into the order of their sequences, a million packets
// took half as long again.
//
//     packets_columns   requests that a packet can serve become columns
//     packets_rows      reads packets, PKTSEQI_BATCH at a time
//       packets_batch     room for them, their texts as indices, then segment_batch
//     packets_end       rows are grouped by sequence

// Entries of each cache of texts: writing an address as text takes 85 ns, decoding its packet 34.
enum { PKTSEQI_CACHED = 1024 };

// An address, or the pointer to a protocol's name, and its index among a column's names. 24 bytes:
// the three caches take 72 kB, which stay in the second-level cache.
typedef struct pktseqi_cached {
    uint64_t key[2];
    uint32_t index;
    int used;
} pktseqi_cached;

// A capture that becomes a table.
typedef struct pktseqi_packets {
    pktseqi_reader *r;
    pktseq_error *err;
    pktseq_capture capture;
    pktseqi_cached *cached;  // (3, PKTSEQI_CACHED) sources, destinations, protocols
    pktseqi_segmenter segmenter;
    size_t count;            // packets in its batch that are no rows yet
} pktseqi_packets;

// Reads the rest of the CSV reader's window, then its stream: the format is known only by the first
// bytes, and a pipe cannot be read twice.
static size_t pktseqi_packets_pull(void *user_data, void *to, size_t size, int *failed) {
    pktseqi_csv *csv = (pktseqi_csv *)user_data;
    size_t there = csv->size - csv->at;
    if (there == 0) return csv->ended ? 0 : csv->read_fn(csv->user_data, to, size, failed);
    if (size > there) size = there;
    memcpy(to, csv->data + csv->at, size);
    csv->at += size;
    return size;
}

// Keeps the requests that packets serve, then those that are derived, each of which becomes a
// column of the table. Fails for a field of any other column. A request of the rule or of derived
// columns alone becomes no column: with all of them a million packets took a fifth longer.
static pktseq_status pktseqi_packets_columns(pktseqi_packets *p) {
    pktseqi_reader *r = p->r;
    pktseqi_request derived[PKTSEQI_MADE];
    size_t count = 1, mades = 0;
    // Tokens are spelled with the name of the protocol.
    for (size_t f = 0; f < r->schema->field_count; ++f)
        if (pktseqi_known_find(r->schema->field[f].column) == PKTSEQI_COL_TOKEN)
            pktseqi_request_bits(r, PKTSEQI_BIT(PROTOCOL), PKTSEQI_BY_KEEP);
    for (size_t i = 1; i < r->count; ++i) {
        pktseqi_request *q = &r->request[i];
        int text = pktseqi_packet_text(q->known), flag = pktseqi_known[q->known].bits != 0;
        int field = q->by & PKTSEQI_BY_FIELD;
        int has = q->known < PKTSEQI_COL_POSITION;
        if (!has && field && !pktseqi_known[q->known].made_of)
            return pktseqi_error(p->err, PKTSEQ_ERROR_DATA, 0,
                                 "column %q is missing: a capture does not have it", q->name);
        if (!has && field) derived[mades++] = *q;
        if (!has || !(q->by & (PKTSEQI_BY_FIELD | PKTSEQI_BY_KEEP))) continue;
        if (!field) q->kind = text ? PKTSEQI_VALUE_TEXT : PKTSEQI_VALUE_NUMBER;
        if (text != (q->kind == PKTSEQI_VALUE_TEXT) || (q->kind == PKTSEQI_VALUE_FLAG && !flag))
            return pktseqi_error(p->err, PKTSEQ_ERROR_ARGUMENT, 0, "the schema has column %q as "
                                 "something else than it is in a capture", q->name);
        r->request[count++] = *q;
    }
    memcpy(r->request + count, derived, mades * sizeof *derived);
    r->count = count + mades;
    return pktseqi_table_columns(r);
}

// Finds the texts of a column of the batch, as indices: in a cache whose entries are found by a
// hash of the key and replaced by later keys, else among the names of the request's column. The key
// is an address, or the pointer to a protocol's name, which is a constant of the program.
static pktseq_status pktseqi_packets_texts(pktseqi_packets *p, pktseqi_request *q) {
    const size_t column = q->known - PKTSEQI_COL_SRC_IP;
    pktseqi_cached *cache = p->cached + PKTSEQI_CACHED * column;
    pktseq_status status = PKTSEQ_OK;
    for (size_t k = 0; k < p->count && !status; ++k) {
        const pktseq_packet *packet = &p->segmenter.packet[k];
        const unsigned char *address = q->known == PKTSEQI_COL_SRC_IP ? packet->src : packet->dst;
        const char *name = packet->protocol;
        char text[46];
        uint64_t key[2] = {0, 0};
        pktseqi_cached *cached;
        if (q->known == PKTSEQI_COL_PROTOCOL) memcpy(key, &name, sizeof name);
        else memcpy(key, address, sizeof key);
        // The upper bits, below PKTSEQI_CACHED.
        cached = cache + ((key[0] ^ key[1] * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu >> 54);
        if (!cached->used || cached->key[0] != key[0] || cached->key[1] != key[1]) {
            memcpy(cached->key, key, sizeof key);
            if (q->known != PKTSEQI_COL_PROTOCOL) {
                pktseq_address_text(address, text);
                name = text;
            }
            status = pktseqi_request_intern(p->r, q, name, strlen(name), &cached->index);
            cached->used = !status;
        }
        p->segmenter.text[column][k] = cached->index;
    }
    return status;
}

// Makes room for the batch in the columns and in `sequence`. After 4096 rows there is room for as
// many as the whole file will have at the current rate, and an eighth more, of which no page is
// touched before it is needed: growing copies to fresh pages, each of which the kernel clears
// first, which was a fifth of all time. Returns 0 if there is no memory, or for more rows than 32
// bits number.
static int pktseqi_packets_room(pktseqi_packets *p) {
    pktseqi_reader *r = p->r;
    pktseqi_segmenter *c = &p->segmenter;
    size_t rows = r->table->rows, past = rows + p->count, room = 4096;
    double whole = (double)r->csv->expect / ((double)p->capture.state->bytes + 1) * 1.125;
    void *larger;
    if (past <= c->room) return 1;
    if (rows) room = (size_t)((double)past * whole) + PKTSEQI_BATCH;
    room = pktseqi_next_capacity(c->room, room > past ? room : past);
    if (past >= UINT32_MAX || !pktseqi_table_grow(r->table, rows, room)) return 0;
    larger = pktseqi_regrow(&r->table->allocator, c->sequence, rows, room, sizeof *c->sequence);
    if (!larger) return 0;
    c->sequence = (uint32_t *)larger;
    c->room = r->room = room;
    return 1;
}

// Makes the batch the table's next rows. Once a frame was left out, the table stores the number of
// each row's frame.
static pktseq_status pktseqi_packets_batch(pktseqi_packets *p) {
    pktseqi_reader *r = p->r;
    pktseq_table *table = r->table;
    const size_t first = table->rows;
    pktseq_status status = PKTSEQ_OK;
    if (p->count == 0) return PKTSEQ_OK;
    if (!pktseqi_packets_room(p)) return pktseqi_no_memory(p->err);
    for (size_t i = 1; i < r->count && !status; ++i)
        if (pktseqi_packet_text(r->request[i].known))
            status = pktseqi_packets_texts(p, &r->request[i]);
    for (size_t k = 0; k < p->count && !status; ++k, ++table->rows) {
        table->counts.packets = (size_t)p->segmenter.frame[k];
        if (table->counts.packets > table->rows + 1) status = pktseqi_table_source(r);
    }
    if (!status && !pktseqi_segment_batch(&p->segmenter, first, p->count))
        status = pktseqi_no_memory(p->err);
    p->count = 0;
    return status;
}

// Returns the counter of a packet that the rule leaves out, or NULL. It is left out before it is
// tracked, as by pktseq_tracker_push.
static size_t *pktseqi_packets_left_out(pktseqi_packets *p, const pktseq_packet *packet) {
    pktseq_table_counts *counts = &p->r->table->counts;
    if (p->r->tcp_only && packet->transport != PKTSEQI_TCP) return &counts->not_tcp;
    return pktseqi_protocol_name(&p->r->schema->rule, packet->protocol) ? NULL : &counts->dropped;
}

// Reads all packets. A damaged capture is read up to the damage, unless the schema forbids it.
static pktseq_status pktseqi_packets_rows(pktseqi_packets *p) {
    pktseq_table *table = p->r->table;
    const pktseq_capture_counts *counts = &p->capture.counts;
    pktseq_status status;
    do {
        pktseq_packet *packet = &p->segmenter.packet[p->count];
        status = pktseq_capture_next(&p->capture, packet, p->err);
        if (!status) {
            size_t *left_out = pktseqi_packets_left_out(p, packet);
            if (left_out) ++*left_out;
            else p->segmenter.frame[p->count++] = counts->frames;
        }
        if (status || p->count == PKTSEQI_BATCH) {
            pktseq_status added = pktseqi_packets_batch(p);
            if (added) return added;
        }
    } while (!status);
    table->capture = *counts;
    table->counts.packets = (size_t)counts->frames;
    table->counts.not_ip = (size_t)(counts->frames - counts->packets);
    table->counts.tunnels = (size_t)counts->tunnels;
    if (status == PKTSEQ_ERROR_DATA && table->rows && p->r->schema->bad_rows >= 0) {
        pktseqi_text_cut(table->first_bad, sizeof table->first_bad, p->err->text);
        table->notes |= PKTSEQ_READ_DAMAGED;
        return pktseqi_ok(p->err);
    }
    if (status != PKTSEQ_END) return status;
    if (table->rows) return PKTSEQ_OK;
    if (!counts->frames)
        return pktseqi_error(p->err, PKTSEQ_ERROR_DATA, 0, "the capture is empty");
    return pktseqi_error(p->err, PKTSEQ_ERROR_DATA, 0, "found a capture of %z frame%S without a "
                         "packet of %s, expected at least one", (size_t)counts->frames,
                         p->r->tcp_only ? "TCP" : "IP");
}

// Groups the rows by sequence: until here they are in the capture's order.
static pktseq_status pktseqi_packets_end(pktseqi_packets *p) {
    pktseq_table *table = p->r->table;
    pktseq_status status = PKTSEQ_OK;
    // Also for frames left out after the last one that was kept.
    if (table->counts.packets > table->rows) status = pktseqi_table_source(p->r);
    p->segmenter.out.counts = table->counts;
    return status ? status : pktseqi_segment_end(&p->segmenter, p->err);
}

// Reads the rows of a table from a capture, whose beginning is in csv's window. After a failure the
// table is the caller's to free; everything else is freed here.
static pktseq_status pktseqi_packets_read(pktseqi_reader *r) {
    const pktseq_allocator *allocator = &r->csv->allocator;
    pktseqi_packets p;
    pktseqi_segmenter *c = &p.segmenter;
    pktseq_status status;
    memset(&p, 0, sizeof p);
    p.r = r;
    p.err = r->csv->err;
    r->capture = 1;
    r->table->notes |= PKTSEQ_READ_BY_PORT;
    if (r->schema->rule.min_length == 0)
        return pktseqi_error(p.err, PKTSEQ_ERROR_DATA, 0, "column \"position\" is missing: a "
                             "capture does not have it");
    status = pktseqi_segment_begin(c, r->table, &r->schema->rule, p.err);
    p.cached = (pktseqi_cached *)pktseqi_alloc_zeroed(allocator, 3 * PKTSEQI_CACHED,
                                                      sizeof *p.cached);
    if (!status && !p.cached) status = pktseqi_no_memory(p.err);
    if (!status)
        status = pktseq_capture_init(&p.capture, pktseqi_packets_pull, r->csv, allocator, p.err);
    if (!status) status = pktseqi_packets_columns(&p);
    c->made = r->table->column;
    for (size_t i = 1; i < r->count && !status; ++i) {
        pktseqi_segment_add(c, r->request[i].known);
        if (r->request[i].known == PKTSEQI_COL_PROTOCOL) c->protocol = &c->made[i - 1];
    }
    if (!status) status = pktseqi_packets_rows(&p);
    if (!status) status = pktseqi_packets_end(&p);
    pktseqi_segment_free(c);
    pktseq_capture_free(&p.capture);
    pktseqi_free(allocator, p.cached);
    return status;
}

// ---- >>codec: what fields make of a packet, and where their features lie ----------------------
//
// How a packet becomes numbers:
//
//   cell --field_numbers-> number --field_value--> value --encoder_block--> features
//   0.25 s since previous   12.4    (z-score)       -0.31                    -0.31
//   443                     443     (class)          0                       1 0 0
//   "TLSv1.3"                       (lookup)         2                       0 0 1 0 ..
//
// A value is ONE number for each field of a packet: the scaled number, or the index of a class, -1
// for none. Packed rows (PKTSEQ_FORM_PACKED) hold values as they are, dense rows one feature for
// each class. >>learn fits a codec to a table, >>encode applies it to tables; the watcher takes the
// same steps for one packet (watch_encode), so both give the same bits.
//
// What is learned is in the fields: means, deviations, categories. All other members of a codec
// follow from them (codec_layout), so a loaded codec equals the one that was saved. Fields of the
// context come after all others, which schema_check and load ensure: the first `fields` of a codec
// are those that the network sees, and places among them are field numbers.
//
// A further form of rows is a value of pktseq_form, its width in codec_width, and how it is stored,
// in encoder_block; a further kind of field is a line of >>schema.

// RFC 6335, section 6, calls them system, user and dynamic ports; these are the reference's words.
static const char *const pktseqi_port_name[] = {"well_known", "registered", "dynamic"};

// Returns the number of features of a field: one for each category or class of ports, else one. A
// class of one category has one feature and is still a class.
static size_t pktseqi_field_width(const pktseq_field *field) {
    if (!pktseqi_field_is_class(field)) return 1;
    return pktseqi_field_texts(field) ? field->category_count : 3;
}

// Returns the name of class k of a field that has classes. Classes of ports are not learned, so a
// codec does not store them.
static const char *pktseqi_field_class(const pktseq_field *field, size_t k) {
    return pktseqi_field_texts(field) ? field->category[k] : pktseqi_port_name[k];
}

// Returns a number, or the difference of two, on the scale of its kind. Times between packets and
// counters spread over six powers of ten: without a logarithm a few large ones would make up all of
// the variance. 1 is added so that 0 stays 0; where a clock goes back, the difference counts as 0.
static double pktseqi_kind_log(const pktseqi_kind *kind, double v) {
    if (kind->log == 0) return v;
    return v > 0 ? log(1 + kind->log * v) : 0;
}

// Computes the numbers of a field that has no categories, before z-scores, for rows
// [row, row + count) of one sequence, at most PKTSEQI_BLOCK.
//   first   the row where that sequence begins: a first packet's difference is v - v, which is 0
//           (or NaN for infinity, refused later like every number that is not finite)
//   v       (count) out
static void pktseqi_field_numbers(const pktseq_field *field, const pktseq_column *column,
                                  size_t first, size_t row, size_t count, double *v) {
    const pktseqi_kind *kind = pktseqi_kind_of(field);
    pktseqi_cells_load(column, row, count, v);
    if (kind->minus) {
        double since = pktseqi_column_at(column, first);
        int previous = kind->minus == PKTSEQI_MINUS_PREVIOUS;
        if (previous && row > first) since = pktseqi_column_at(column, row - 1);
        for (size_t i = 0; i < count; ++i) {
            double number = v[i];
            v[i] -= since;
            if (previous) since = number;
        }
    }
    for (size_t i = 0; kind->log > 0 && i < count; ++i) v[i] = pktseqi_kind_log(kind, v[i]);
}

// Returns the value of such a number: its z-score, its class (-1 for none), or the number itself. A
// column that was constant when it was learned carries no information: its z-score is always 0.
static double pktseqi_field_value(const pktseq_field *field, double v) {
    if (pktseqi_kind_of(field)->scaled) return field->sd > 0 ? (v - field->mean) / field->sd : 0;
    if (!pktseqi_field_is_class(field)) return v;
    if (v > 49151) return field->kind == PKTSEQ_PORT_REFERENCE ? -1 : 2;
    return v >= 1024;
}

// Returns the number of a value that is not a class, in the column's units. Differences stay
// differences: what was subtracted is not known here.
static double pktseqi_field_unscale(const pktseq_field *field, double v) {
    const pktseqi_kind *kind = pktseqi_kind_of(field);
    if (kind->scaled) v = v * field->sd + field->mean;
    return kind->log == 0 ? v : (exp(v) - 1) / kind->log;
}

// Returns a number as pktseq_real. Sets *bad, and returns 0, for one that does not fit: too large,
// or not finite. Without the sign, the bits of doubles rise with their values, to infinity and NaN;
// -ffast-math lets compilers drop comparisons with these, but not comparisons of bits.
static pktseq_real pktseqi_real_of(const double *v, int *bad) {
    double max = sizeof(pktseq_real) == 4 ? (double)FLT_MAX : DBL_MAX;
    if ((pktseqi_bits(v) << 1) <= (pktseqi_bits(&max) << 1)) return (pktseq_real)*v;
    *bad = 1;
    return 0;
}

PKTSEQI_COLD

// ---- layout

// Numbers the features when all fields are known:
//
//      first[0]    first[1]        first[fields] = D                 first[field_count] = D + C
//        | field 0  | field 1 ..    | first field of the context ..   |
//
// (recommended: field 0 the time, 1 same_connection, 2 the token, from first[3] = D on 12 counters)
//
// Of the D, those that are to be predicted, one after the other, are the O. The lists of numbers
// are one block, from first; so are the groups, from field_group. Both have room for the most that
// there can be: (F + 1) + F + W numbers, where W = D + C is at most 4096 a field, and 2 F groups.
static pktseq_status pktseqi_codec_layout(pktseq_codec *codec, pktseq_error *err) {
    size_t F = codec->field_count, width = 0;
    for (size_t f = 0; f < F; ++f) width += pktseqi_field_width(&codec->field[f]);
    codec->first = (size_t *)pktseqi_alloc_zeroed(&codec->allocator, 2 * F + 1 + width,
                                                  sizeof *codec->first);
    codec->field_group = (pktseq_group *)pktseqi_alloc_zeroed(&codec->allocator, 2 * F,
                                                              sizeof *codec->field_group);
    if (!codec->first || !codec->field_group) return pktseqi_no_memory(err);
    codec->group_field = codec->first + F + 1;
    codec->target = codec->group_field + F;
    codec->group = codec->field_group + F;
    for (size_t f = 0; f < F; ++f) {
        pktseq_role role = codec->field[f].role;
        pktseq_group group;  // among the D first, then among the O
        group.kind = pktseqi_kind_of(&codec->field[f])->group;
        group.first = codec->first[f];
        group.count = pktseqi_field_width(&codec->field[f]);
        codec->first[f + 1] = group.first + group.count;
        codec->field_group[f] = group;
        if (role == PKTSEQ_ROLE_CONTEXT) {
            codec->contexts += group.count;
            continue;
        }
        codec->features += group.count;
        codec->fields = f + 1;
        if (role != PKTSEQ_ROLE_BOTH) continue;
        codec->group_field[codec->groups] = f;
        group.first = codec->targets;
        codec->group[codec->groups++] = group;
        for (size_t k = codec->first[f]; k < codec->first[f + 1]; ++k)
            codec->target[codec->targets++] = k;
    }
    if (codec->targets == 0)
        return pktseqi_bad_argument(err, "no field of the schema is to be predicted");
    // Weights grow with D and O, fitting a detector with the cube of C: more than this is a
    // mistake, or a file that was made to take all memory.
    if (codec->features <= PKTSEQ_MAX_FEATURES && codec->contexts <= PKTSEQ_MAX_CONTEXTS)
        return PKTSEQ_OK;
    return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "the fields make %z features and %z of the "
                         "context, expected at most %z and %z", codec->features, codec->contexts,
                         (size_t)PKTSEQ_MAX_FEATURES, (size_t)PKTSEQ_MAX_CONTEXTS);
}

// first[] rises to D + C, which is above every feature, so the loop ends.
PKTSEQ_DEF pktseq_status pktseq_codec_feature_name(const pktseq_codec *codec, size_t feature,
                                                   char *name, size_t size) {
    size_t f = 0;
    pktseqi_text t;
    if (!codec || !name || size == 0 || feature >= codec->features + codec->contexts)
        return PKTSEQ_ERROR_ARGUMENT;
    while (feature >= codec->first[f + 1]) ++f;
    t = pktseqi_text_fixed(name, size);
    pktseqi_put_text(&t, codec->field[f].column);
    if (pktseqi_field_is_class(&codec->field[f]))
        pktseqi_put(&t, "-%s", pktseqi_field_class(&codec->field[f], feature - codec->first[f]));
    return PKTSEQ_OK;
}

// A codec learned from a file with positions has no rule; captures are then cut by the default one.
PKTSEQ_DEF pktseq_schema pktseq_codec_schema(const pktseq_codec *codec) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.rule = pktseq_rule_default();
    if (!codec) return schema;
    schema.field = codec->field;
    schema.field_count = codec->field_count;
    if (codec->rule.min_length) schema.rule = codec->rule;
    return schema;
}

// Also frees a codec that was only made in part: fields that were not reached are zeros.
PKTSEQ_DEF void pktseq_codec_free(pktseq_codec *codec) {
    if (!codec) return;
    for (size_t f = 0; codec->field && f < codec->field_count; ++f) {
        pktseq_field *field = &codec->field[f];
        pktseqi_free(&codec->allocator, (void *)field->column);
        pktseqi_free_names(&codec->allocator, (char **)field->category, field->category_count);
    }
    pktseqi_free(&codec->allocator, codec->field);
    pktseqi_free(&codec->allocator, codec->first);
    pktseqi_free(&codec->allocator, codec->field_group);
    memset(codec, 0, sizeof *codec);
}

// ---- comparing

// Returns in what two fields differ, NULL if their features mean the same. Means and deviations may
// differ: a z-score is a z-score, whatever the units.
static const char *pktseqi_field_differs(const pktseq_field *a, const pktseq_field *b) {
    if (strcmp(a->column, b->column) != 0) return "column";
    if (a->kind != b->kind) return "kind";
    if (a->role != b->role) return "role";
    if (a->category_count != b->category_count) return "number of categories";
    for (size_t k = 0; k < a->category_count; ++k)
        if (strcmp(a->category[k], b->category[k]) != 0) return "categories";
    return NULL;
}

// The first difference is reported. Of lists of different lengths the common part is compared
// first: "another kind" says more than "one has 15 fields, the other 16".
PKTSEQ_DEF pktseq_status pktseq_codec_same(const pktseq_codec *a, const pktseq_codec *b,
                                           pktseq_error *err) {
    if (!a || !a->field_count || !b || !b->field_count)
        return pktseqi_bad_argument(err, "a codec is NULL or empty");
    for (size_t f = 0; f < a->field_count && f < b->field_count; ++f) {
        const char *differs = pktseqi_field_differs(&a->field[f], &b->field[f]);
        if (differs)
            return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "field %z, %q, has another %s in "
                                 "the second codec", f + 1, a->field[f].column, differs);
    }
    if (a->field_count != b->field_count)
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0,
                             "one codec has %z field%S, the other %z", a->field_count,
                             b->field_count);
    return pktseqi_ok(err);
}

// ---- decoding
//
// A network can put out any numbers, so decoding never fails: it takes what is most likely.

// Returns the index of the largest of (count) numbers; of equals the first, so that a group of all
// zeros, an unknown category, decodes as the first one.
static size_t pktseqi_largest(const pktseq_real *x, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; ++i)
        if (x[i] > x[best]) best = i;
    return best;
}

// Returns what a field's features say: the inverse of encoding, as far as there is one. A flag is
// rounded, since a network trained on 0 and 1 puts out a probability at best.
static pktseq_value pktseqi_field_decode(const pktseq_field *field, const pktseq_real *x) {
    pktseq_value value;
    value.number = (double)x[0];
    value.text = NULL;
    if (pktseqi_field_is_class(field)) {
        size_t hot = pktseqi_largest(x, pktseqi_field_width(field));
        value.number = (double)hot;
        value.text = pktseqi_field_class(field, hot);  // in the codec's memory
    } else if (field->kind == PKTSEQ_FLAG) {
        value.number = value.number >= 0.5;
    } else {
        value.number = pktseqi_field_unscale(field, value.number);
    }
    return value;
}

// Decodes the fields whose role is at most `last` (roles rise from both to input to context); x has
// their features, one after the other. All other fields become NULL and NaN, which is set by its
// bits, since -ffast-math makes the macro useless.
//   value    (field_count) out
static pktseq_status pktseqi_codec_decode(const pktseq_codec *codec, pktseq_role last,
                                          const pktseq_real *x, pktseq_value *value) {
    if (!codec || !codec->field_count || !x || !value) return PKTSEQ_ERROR_ARGUMENT;
    for (size_t f = 0; f < codec->field_count; ++f) {
        const pktseq_field *field = &codec->field[f];
        memset(&value[f].number, 0xff, sizeof value[f].number);  // a NaN
        value[f].text = NULL;
        if (field->role > last) continue;
        value[f] = pktseqi_field_decode(field, x);
        x += pktseqi_field_width(field);
    }
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_codec_decode(const pktseq_codec *codec, const pktseq_real *x,
                                             pktseq_value *value) {
    return pktseqi_codec_decode(codec, PKTSEQ_ROLE_INPUT, x, value);
}

PKTSEQ_DEF pktseq_status pktseq_codec_decode_output(const pktseq_codec *codec,
                                                    const pktseq_real *y, pktseq_value *value) {
    return pktseqi_codec_decode(codec, PKTSEQ_ROLE_BOTH, y, value);
}

PKTSEQI_COLD_END

// ---- >>learn: a codec from a table ------------------------------------------------------------
//
// pktseq_codec_fit learns what a schema does not give: means, deviations and categories.
// pktseq_codec_extend learns further categories for a codec, which gives all the rest. Both come
// down to codec_learn over fields, each with its `known` part. A table is read once for each column
// of categories and twice for each one of numbers; no memory is needed for rows, only a count for
// each different text.
//
// What is held out must not be seen here either: a mean or a category that only the held-out part
// has would let the model know something of what it is tested on.

// Returns 1 if sequence s of (sequences) is held out. Of the 50 blocks of a file the share
// `hold_out` is, spread evenly: traffic drifts, so the last part of a file is no sample of what
// comes later, and single sequences have neighbours much like them that would be learned. Block b,
// from 0, is held out where (b + 1) * hold_out passes a whole number, so the first one never is:
// 0.1 of 1,000 sequences are blocks 9, 19, 29, 39 and 49, sequences 180 to 199, 380 to 399 ..
// A sequence that counts several times is never held out: it was repeated to be learned.
static int pktseqi_held_out(size_t s, size_t sequences, double hold_out,
                            const unsigned char *repeats) {
    double blocks = sequences < 50 ? (double)sequences : 50;  // of fewer, each is a block
    double block = floor((double)s * blocks / (double)sequences);
    if (repeats && repeats[s] > 1) return 0;
    return floor((block + 1) * hold_out) > floor(block * hold_out);
}

// What a codec is learned from.
typedef struct pktseqi_sample {
    const pktseq_table *table;
    const pktseq_schema *schema;  // its hold_out and repeats select the sequences
    size_t extend;                // 0: learn what fields do not give; else only further categories,
                                  //   that occur at least so often
    pktseq_error *err;
} pktseqi_sample;

// Returns 1 if sequence s of the table counts. It counts once, however often training repeats it:
// means are those of the traffic.
static int pktseqi_sample_has(const pktseqi_sample *sample, size_t s) {
    const unsigned char *repeats = sample->schema->repeats;
    if (repeats && repeats[s] == 0) return 0;
    return !pktseqi_held_out(s, sample->table->sequences, sample->schema->hold_out, repeats);
}

// Finds the column of a field by name. Fails with MISMATCH, naming it, also where the cells of a
// table that a program filled are of the other type: all that follows reads cells without a check.
static pktseq_status pktseqi_field_column(const pktseq_field *field, const pktseq_table *table,
                                          const pktseq_column **column, pktseq_error *err) {
    int texts = pktseqi_field_texts(field);
    *column = pktseq_table_column(table, field->column);
    if (!*column)
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the table has no column %q",
                             field->column);
    if (texts ? !pktseqi_column_texts(*column) : !pktseqi_column_numbers(*column))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the table's column %q is not %s",
                             field->column, texts ? "text" : "numbers");
    return PKTSEQ_OK;
}

// Learns mean and sample standard deviation (n - 1 in the denominator, like pandas). The second
// pass sums differences from m, the mean of the first one: seconds since 1970 have ten digits
// before the point, and their squares would leave none of the fraction (Chan, Golub and LeVeque
// 1983, "Algorithms for computing the sample variance", The American Statistician 37(3)).
//   mean = m + sum(v - m) / n        sd = sqrt((sum (v - m)^2 - (sum (v - m))^2 / n) / (n - 1))
static pktseq_status pktseqi_codec_learn_scale(pktseq_field *field, const pktseq_column *column,
                                               const pktseqi_sample *sample) {
    const size_t *start = sample->table->start;
    // n is exact up to 2^53 rows. low and high detect a constant column, whose sums may leave a
    // deviation that is not quite 0, as of seven times 0.1: other values would then get z-scores of
    // 10^15 and more.
    double n = 0, m = 0, d1 = 0, d2 = 0, low = DBL_MAX, high = -DBL_MAX;
    for (int pass = 0; pass < 2; ++pass) {
        if (pass) m = d1 / n;
        n = d1 = d2 = 0;
        for (size_t s = 0; s < sample->table->sequences; ++s) {
            size_t past = pktseqi_sample_has(sample, s) ? start[s + 1] : start[s], count;
            for (size_t row = start[s]; row < past; row += count) {
                double v[PKTSEQI_BLOCK];
                count = past - row < PKTSEQI_BLOCK ? past - row : (size_t)PKTSEQI_BLOCK;
                pktseqi_field_numbers(field, column, start[s], row, count, v);
                for (size_t i = 0; i < count; ++i) {
                    if (v[i] < low) low = v[i];
                    if (v[i] > high) high = v[i];
                    d1 += v[i] - m;
                    d2 += (v[i] - m) * (v[i] - m);
                }
                n += (double)count;
            }
        }
    }
    field->mean = m + d1 / n;
    field->sd = sqrt((d2 - d1 * d1 / n) / (n - 1));
    if (n < 2 || low == high) {
        field->mean = low;
        field->sd = 0;  // encodes as 0, and decodes as the mean
        if (sample->schema->constant_is_zero) return PKTSEQ_OK;
        return pktseqi_error(sample->err, PKTSEQ_ERROR_DATA, 0, "column %q has the same value, %f, "
                             "in every row, so it has no z-score", field->column, low);
    }
    // The squares of numbers above 10^154 are infinite; of those below 10^-162 they are 0.
    if (pktseqi_finite(&field->mean) && pktseqi_finite(&field->sd) && field->sd > 0)
        return PKTSEQ_OK;
    return pktseqi_error(sample->err, PKTSEQ_ERROR_DATA, 0, "column %q has numbers from %f to %f, "
                         "too far apart or too close for a standard deviation", field->column, low,
                         high);
}

// Puts a field's categories into a tree, in which a text is found in time of its own length: the
// categories come from files, which may have been made to be slow. Returns 0 without memory;
// tree->node is to be freed in either case.
static int pktseqi_field_tree(const pktseq_field *field, pktseqi_tree *tree,
                              const pktseq_allocator *allocator) {
    char *const *name = (char *const *)(uintptr_t)field->category;  // only read
    uint32_t like = 0;
    size_t k = 0;
    memset(tree, 0, sizeof *tree);
    while (k < field->category_count && pktseqi_tree_put(tree, allocator, name, (uint32_t)k, &like))
        ++k;
    return k == field->category_count;
}

// Returns, for each text of a column (name_count, not 0), the index of the category that it is, or
// -1; NULL without memory. So a row costs one lookup by number, and each different text is compared
// once. pktseq_real, as in encoded rows, holds an index below 4096 exactly.
static pktseq_real *pktseqi_field_lookup(const pktseq_field *field, const pktseq_column *column,
                                         const pktseq_allocator *allocator) {
    pktseq_real *value = (pktseq_real *)pktseqi_alloc(allocator, column->name_count, sizeof *value);
    char *const *name = (char *const *)(uintptr_t)field->category;
    pktseqi_tree tree;
    uint32_t k = 0;
    int good = pktseqi_field_tree(field, &tree, allocator) && value;
    for (size_t i = 0; good && i < column->name_count; ++i) {
        const char *text = column->names[i];
        value[i] = pktseqi_tree_find(&tree, name, text, strlen(text), &k) ? (pktseq_real)k : -1;
    }
    pktseqi_free(allocator, tree.node);
    if (good) return value;
    pktseqi_free(allocator, value);
    return NULL;
}

// Compares two texts by their bytes, for qsort.
static int pktseqi_compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Gives a field its categories: first those of `known`, whose features mean something to a model
// already, then the texts that `chosen` marks, sorted by their bytes. Columns have their texts in
// the order of a file; sorted, two files of the same traffic give the same codec. The codec is
// freed after a failure: texts that were not reached are NULL.
//   chosen   (name_count) not 0 for the texts that are added; NULL if there are none
//   count    of both together, not 0
static pktseq_status pktseqi_codec_name(const pktseq_codec *codec, pktseq_field *field,
                                        const pktseq_field *known, const pktseq_column *column,
                                        const size_t *chosen, size_t count, pktseq_error *err) {
    size_t old = known->category_count, k;
    char **category;
    if (count > PKTSEQI_MOST_NAMES)
        return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "column %q has %z different texts, "
                             "expected at most %z", known->column, count,
                             (size_t)PKTSEQI_MOST_NAMES);
    category = (char **)pktseqi_alloc_zeroed(&codec->allocator, count, sizeof *category);
    if (!category) return pktseqi_no_memory(err);
    field->category = (const char *const *)category;
    field->category_count = count;
    for (k = 0; k < old; ++k) category[k] = pktseqi_copy(&codec->allocator, known->category[k]);
    for (size_t i = 0; k < count; ++i)
        if (chosen[i]) category[k++] = pktseqi_copy(&codec->allocator, column->names[i]);
    while (k > 0 && category[k - 1]) --k;  // down to a copy that there was no memory for
    if (k > 0) return pktseqi_no_memory(err);
    qsort(category + old, count - old, sizeof *category, pktseqi_compare_texts);
    return PKTSEQ_OK;
}

// Learns the categories of a field: those of `known` and, unless min_count is 0, the texts of the
// column that occur at least so often. Rare ones are better left unknown: their weights would stay
// as random as they began, and an unknown text is a sign of its own (all features 0, and counted).
static pktseq_status pktseqi_codec_learn_names(const pktseq_codec *codec, pktseq_field *field,
                                               const pktseq_field *known,
                                               const pktseq_column *column, size_t min_count,
                                               const pktseqi_sample *sample) {
    const pktseq_table *table = sample->table;
    size_t names = min_count ? column->name_count : 0, count = known->category_count;
    // How often each text occurs, later whether it is chosen; one more, as 0 bytes are not
    // allocated.
    size_t *seen = (size_t *)pktseqi_alloc_zeroed(&codec->allocator, names + 1, sizeof *seen);
    pktseq_real *value = names ? pktseqi_field_lookup(known, column, &codec->allocator) : NULL;
    pktseq_status status = PKTSEQ_OK;
    if (!seen || (names && !value)) status = pktseqi_no_memory(sample->err);
    for (size_t s = 0; !status && names && s < table->sequences; ++s)
        if (pktseqi_sample_has(sample, s))
            for (size_t row = table->start[s]; row < table->start[s + 1]; ++row)
                ++seen[pktseqi_column_text_at(column, row)];
    for (size_t i = 0; !status && i < names; ++i)
        count += seen[i] = value[i] < 0 && seen[i] >= min_count;
    // The likely reason is a file of a few packets, so the message says that.
    if (!status && !count)
        status = pktseqi_error(sample->err, PKTSEQ_ERROR_DATA, 0, "too little data: %z packet%S "
                               "in %z sequence%S, and no %s occurs %z time%S; training needs "
                               "about 100 sequences", table->rows, table->sequences,
                               known->column, min_count);
    if (!status)
        status = pktseqi_codec_name(codec, field, known, column, seen, count, sample->err);
    pktseqi_free(&codec->allocator, seen);
    pktseqi_free(&codec->allocator, value);
    return status;
}

// Learns a field. What `known`, of a schema or of a codec that is extended, gives stays: categories
// that are listed, and a deviation above 0 with its mean.
//   field    of the codec, zeros before; after a failure made in part, to be freed with the codec
static pktseq_status pktseqi_codec_learn_field(const pktseq_codec *codec, pktseq_field *field,
                                               const pktseq_field *known,
                                               const pktseqi_sample *sample) {
    const pktseq_column *column;
    size_t min_count = sample->extend;
    pktseq_status status;
    *field = *known;  // borrowed pointers are replaced before anything can fail
    field->category = NULL;
    field->category_count = 0;
    field->column = pktseqi_copy(&codec->allocator, known->column);
    if (!field->column) return pktseqi_no_memory(sample->err);
    status = pktseqi_field_column(known, sample->table, &column, sample->err);
    if (status) return status;
    if (pktseqi_field_texts(known)) {
        if (!min_count && !known->category_count)
            min_count = known->min_count ? known->min_count : 1;
        return pktseqi_codec_learn_names(codec, field, known, column, min_count, sample);
    }
    // A codec that is extended keeps a deviation of 0, which says that a column was constant.
    if (sample->extend || !pktseqi_kind_of(known)->scaled || known->sd > 0) return PKTSEQ_OK;
    return pktseqi_codec_learn_scale(field, column, sample);
}

// Learns all fields of a codec whose rule and naming are set. After a failure it is empty.
//   field    (count) of a schema or of another codec; nothing of it is kept
static pktseq_status pktseqi_codec_learn(pktseq_codec *codec, const pktseq_field *field,
                                         size_t count, const pktseqi_sample *sample,
                                         const pktseq_allocator *allocator) {
    pktseq_status status = PKTSEQ_OK;
    codec->allocator = pktseqi_allocator(allocator);
    // Zeroed, so that a codec of which only some fields are made can be freed.
    codec->field = (pktseq_field *)pktseqi_alloc_zeroed(&codec->allocator, count, sizeof *field);
    if (codec->field) codec->field_count = count;
    else status = pktseqi_no_memory(sample->err);
    for (size_t f = 0; !status && f < count; ++f)
        status = pktseqi_codec_learn_field(codec, &codec->field[f], &field[f], sample);
    if (!status) status = pktseqi_codec_layout(codec, sample->err);
    if (!status) return pktseqi_ok(sample->err);
    pktseq_codec_free(codec);
    return status;
}

// Names by a dissector ("TLSv1.3") and by ports ("TLS") are different categories: a model of one
// knows nothing of the other. A file with positions may come from anywhere.
PKTSEQ_DEF pktseq_naming pktseq_table_naming(const pktseq_table *table) {
    if (!table || table->notes & PKTSEQ_READ_POSITIONS) return PKTSEQ_NAMING_UNKNOWN;
    return table->notes & PKTSEQ_READ_BY_PORT ? PKTSEQ_NAMING_PORTS : PKTSEQ_NAMING_DISSECTOR;
}

// Arguments are checked before memory is allocated. The rule is kept, so that what is scored later
// is cut into sequences as this table was.
PKTSEQ_DEF pktseq_status pktseq_codec_fit(pktseq_codec *codec, const pktseq_table *table,
                                          const pktseq_schema *schema,
                                          const pktseq_allocator *allocator, pktseq_error *err) {
    pktseqi_sample sample = {table, schema, 0, err};
    pktseq_status status;
    if (!codec) return pktseqi_bad_argument(err, "codec is NULL");
    memset(codec, 0, sizeof *codec);
    status = pktseqi_schema_check(schema, err);
    if (!status) status = pktseqi_table_check_all(table, err);
    if (!status && schema->rule.min_length) status = pktseqi_rule_check(&schema->rule, err);
    if (status) return status;
    if (schema->rule.min_length) codec->rule = schema->rule;  // else all 0: none is known
    codec->rule.secret[0] = codec->rule.secret[1] = 0;  // codecs are saved, secrets are not
    codec->naming = pktseq_table_naming(table);
    return pktseqi_codec_learn(codec, schema->field, schema->field_count, &sample, allocator);
}

// Extended by no category, a codec equals the old one.
PKTSEQ_DEF pktseq_status pktseq_codec_extend(pktseq_codec *extended, const pktseq_codec *codec,
                                             const pktseq_table *table, const pktseq_schema *schema,
                                             size_t min_count, const pktseq_allocator *allocator,
                                             pktseq_error *err) {
    pktseqi_sample sample = {table, schema, min_count, err};
    pktseq_status status;
    if (!extended) return pktseqi_bad_argument(err, "extended is NULL");
    memset(extended, 0, sizeof *extended);
    if (!codec || !codec->field_count || !min_count || !schema ||
        !pktseqi_share_below_one(&schema->hold_out))
        return pktseqi_bad_argument(err, "codec is NULL or empty, min_count is 0, or hold_out is "
                                         "not a share from 0 to below 1");
    status = pktseqi_table_check_all(table, err);
    if (status) return status;
    extended->rule = codec->rule;
    extended->naming = codec->naming;
    return pktseqi_codec_learn(extended, codec->field, codec->field_count, &sample, allocator);
}

// ---- >>encode: rows of a table to features ----------------------------------------------------
//
// For each field an encoder is opened, which finds the column and computes what can be computed
// beforehand; then blocks of rows are encoded, by several threads if there are many; then the
// encoders are closed and their counts and errors collected in the order of the fields, so that
// errors do not depend on the threads.
//
// On one thread of an EPYC a row of the 15 reference fields takes 75 ns to dense features; of the
// recommended ones 6 ns packed, and 17 ns more for the 12 numbers of the context.

// Returns the number of numbers in an encoded row; 0 for an unknown form, and for the context of a
// codec that has none.
static size_t pktseqi_codec_width(const pktseq_codec *codec, pktseq_form form) {
    if (form == PKTSEQ_FORM_PACKED) return codec->fields;
    if (form == PKTSEQ_FORM_CONTEXT) return codec->contexts;
    return form == PKTSEQ_FORM_DENSE ? codec->features : 0;
}

// What encoding one field of a table needs. Threads share it: while blocks are encoded only misses
// and bad are written.
typedef struct pktseqi_encoder {
    const pktseq_field *field;
    const pktseq_column *column;
    pktseq_real *value;  // of each whole number that a cell can hold, or NULL
    size_t at;           // place in an encoded row
    size_t classes;      // features of a class there; 0: one number
    size_t misses;       // texts that are no category
    size_t bad;          // blocks with a number too large for pktseq_real
} pktseqi_encoder;

// Lists the values of the whole numbers below `range`. There is no list if one of them is too large
// for pktseq_real, as it need not occur: rows are then checked one by one. Returns 0 without
// memory.
static int pktseqi_encoder_list(pktseqi_encoder *e, size_t range,
                                const pktseq_allocator *allocator) {
    const pktseqi_kind *kind = pktseqi_kind_of(e->field);
    int bad = 0;
    e->value = (pktseq_real *)pktseqi_alloc(allocator, range, sizeof *e->value);
    if (!e->value) return 0;
    for (size_t i = 0; i < range; ++i) {
        double v = pktseqi_field_value(e->field, pktseqi_kind_log(kind, (double)i));
        e->value[i] = pktseqi_real_of(&v, &bad);
    }
    if (!bad) return 1;
    pktseqi_free(allocator, e->value);
    e->value = NULL;
    return 1;
}

// Opens the encoder of field f; value is to be freed, also after a failure. Texts always have a
// list of values; a column without names has no rows, which has been checked. Numbers have one
// where the row alone decides the value and the list is no longer than the rows to encode: a row of
// the 12 counters of the recommended context, 11 of them logarithms, takes 17 ns with lists and 90
// ns without. 65,536 values are a quarter of a megabyte.
static pktseq_status pktseqi_encoder_open(pktseqi_encoder *e, const pktseq_codec *codec, size_t f,
                                          const pktseq_table *table, size_t rows,
                                          pktseq_form form, pktseq_error *err) {
    const pktseq_field *field = &codec->field[f];
    int packed = form == PKTSEQ_FORM_PACKED, listed = 1;
    size_t range;  // of numbers in a cell; 0: too many for a list
    pktseq_status status;
    memset(e, 0, sizeof *e);
    e->field = field;
    e->at = packed ? f : codec->first[f] - (form == PKTSEQ_FORM_CONTEXT ? codec->features : 0);
    e->classes = packed || !pktseqi_field_is_class(field) ? 0 : pktseqi_field_width(field);
    status = pktseqi_field_column(field, table, &e->column, err);
    if (status) return status;
    range = e->column->type == PKTSEQ_CELL_U8    ? 256
            : e->column->type == PKTSEQ_CELL_U16 ? 65536
                                                 : 0;
    if (e->column->names && e->column->name_count)
        listed = (e->value = pktseqi_field_lookup(field, e->column, &codec->allocator)) != NULL;
    else if (!e->column->names && range && range <= rows && !pktseqi_kind_of(field)->minus)
        listed = pktseqi_encoder_list(e, range, &codec->allocator);
    return listed ? PKTSEQ_OK : pktseqi_no_memory(err);
}

// Returns the sequence of a row, start[s] <= row < start[s + 1], by bisection.
static size_t pktseqi_table_sequence(const pktseq_table *table, size_t row) {
    size_t from = 0, past = table->sequences;
    while (past - from > 1) {
        size_t middle = from + (past - from) / 2;
        if (table->start[middle] <= row) from = middle;
        else past = middle;
    }
    return from;
}

// Writes the values of a field in rows [row, row + rows) to x, `step` apart: from the list if there
// is one, else sequence by sequence. Returns 1 if a number did not fit. An index into e->value is
// in range: numbers of U8 and U16 cells by their type, and texts were checked to have names.
static int pktseqi_encoder_values(const pktseqi_encoder *e, const pktseq_table *table, size_t row,
                                  size_t rows, pktseq_real *x, size_t step) {
    const uint8_t *u8 = (const uint8_t *)e->column->cell + row;
    const uint16_t *u16 = (const uint16_t *)e->column->cell + row;
    const uint32_t *u32 = (const uint32_t *)e->column->cell + row;
    size_t s = 0, n, i;
    int bad = 0, since = pktseqi_kind_of(e->field)->minus != PKTSEQI_MINUS_NONE;
    if (e->value && e->column->type == PKTSEQ_CELL_U8)
        for (i = 0; i < rows; ++i) x[i * step] = e->value[u8[i]];
    else if (e->value && e->column->type == PKTSEQ_CELL_U16)
        for (i = 0; i < rows; ++i) x[i * step] = e->value[u16[i]];
    else if (e->value)
        for (i = 0; i < rows; ++i) x[i * step] = e->value[u32[i]];
    if (e->value) return 0;
    if (since) s = pktseqi_table_sequence(table, row);
    for (; rows > 0; row += n, rows -= n, x += n * step) {
        double v[PKTSEQI_BLOCK];
        n = rows;
        // start[s] is at most row, also where the starts of a table filled by hand do not rise.
        while (since && s + 1 < table->sequences && table->start[s + 1] <= row) ++s;
        if (since && s + 1 < table->sequences && table->start[s + 1] - row < n)
            n = table->start[s + 1] - row;
        pktseqi_field_numbers(e->field, e->column, table->start[s], row, n, v);
        for (i = 0; i < n; ++i) {
            v[i] = pktseqi_field_value(e->field, v[i]);
            x[i * step] = pktseqi_real_of(&v[i], &bad);
        }
    }
    return bad;
}

// Encodes a field of up to PKTSEQI_BLOCK rows [row, row + rows) into x (rows, width).
//   x        the field writes the numbers from e->at on of each row
static void pktseqi_encoder_block(pktseqi_encoder *e, const pktseq_table *table, size_t row,
                                  size_t rows, pktseq_real *x, size_t width) {
    pktseq_real index[PKTSEQI_BLOCK], *v = x + e->at;  // -1, or below the number of categories
    size_t misses = 0, step = width;
    if (e->classes) v = index, step = 1;
    // Atomic, not critical: clang would export a lock's name. Most blocks add nothing.
    if (pktseqi_encoder_values(e, table, row, rows, v, step)) {
#ifdef _OPENMP
#pragma omp atomic
#endif
        ++e->bad;
    }
    for (size_t i = 0; e->classes && i < rows; ++i) {
        pktseq_real *to = x + i * width + e->at;
        for (size_t k = 0; k < e->classes; ++k) to[k] = 0;
        if (v[i] >= 0) to[(size_t)v[i]] = 1;
    }
    for (size_t i = 0; pktseqi_field_texts(e->field) && i < rows; ++i) misses += v[i * step] < 0;
    if (misses) {
#ifdef _OPENMP
#pragma omp atomic
#endif
        e->misses += misses;
    }
}

// Returns the first row from `row` on whose number does not fit pktseq_real; there is one. This is
// rare, so threads keep no track of rows while they encode.
static size_t pktseqi_encoder_bad_row(const pktseqi_encoder *e, const pktseq_table *table,
                                      size_t row) {
    pktseq_real v;
    while (!pktseqi_encoder_values(e, table, row, 1, &v, 1)) ++row;
    return row;
}

// Encodes (count) fields in blocks of rows that stay in the cache while one field after the other
// writes to them; 32 to 512 rows a block take the same time. Below 20,000 rows, a millisecond of
// work, there is one thread.
//   x        (rows, width), all of it is written
static void pktseqi_encoders_run(pktseqi_encoder *e, size_t count, const pktseq_table *table,
                                 size_t row, size_t rows, pktseq_real *x, size_t width) {
    const size_t block = PKTSEQI_BLOCK;
    ptrdiff_t at;  // signed, for OpenMP 2.0
#ifdef _OPENMP
#pragma omp parallel for schedule(static) if (rows > 20000)
#endif
    for (at = 0; at < (ptrdiff_t)rows; at += (ptrdiff_t)block) {
        size_t i = (size_t)at, n = rows - i < block ? rows - i : block;
        for (size_t f = 0; f < count; ++f)
            pktseqi_encoder_block(&e[f], table, row + i, n, x + i * width, width);
    }
}

PKTSEQ_DEF pktseq_status pktseq_codec_encode(const pktseq_codec *codec, const pktseq_table *table,
                                             size_t row, size_t rows, pktseq_form form,
                                             pktseq_real *x, size_t *unknown, pktseq_error *err) {
    size_t width, from, count, opened = 0;
    pktseqi_encoder *e;
    pktseq_status status;
    // The last comparison is a difference, as row + rows could wrap.
    if (!codec || !codec->field_count || !table || !x || row > table->rows ||
        rows > table->rows - row)
        return pktseqi_bad_argument(err, "codec, table or x is NULL or the rows are not there");
    width = pktseqi_codec_width(codec, form);
    if (!width) return pktseqi_bad_argument(err, "the codec has no numbers of this form");
    status = pktseqi_table_check(table, err);
    if (status) return status;
    from = form == PKTSEQ_FORM_CONTEXT ? codec->fields : 0;  // fields of the context are the last
    count = form == PKTSEQ_FORM_CONTEXT ? codec->field_count - from : codec->fields;
    e = (pktseqi_encoder *)pktseqi_alloc(&codec->allocator, count, sizeof *e);
    if (!e) return pktseqi_no_memory(err);
    // All columns are found and checked before anything is written to x.
    for (; opened < count && status == PKTSEQ_OK; ++opened)
        status = pktseqi_encoder_open(&e[opened], codec, from + opened, table, rows, form, err);
    for (size_t f = 0; f < count && status == PKTSEQ_OK; ++f)
        status = pktseqi_column_check_texts(e[f].column, row, row + rows, err);
    if (status == PKTSEQ_OK) pktseqi_encoders_run(e, count, table, row, rows, x, width);
    // The first field with a bad row, and its first one, are reported, whichever thread met it.
    for (size_t f = 0; f < opened; ++f) {
        if (status == PKTSEQ_OK && e[f].bad) {
            size_t bad = pktseqi_encoder_bad_row(&e[f], table, row);
            double number = pktseqi_column_at(e[f].column, bad);
            status = pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "row %z after the header: column %q: "
                                   "%f is too large when encoded", bad + 1, e[f].field->column,
                                   number);
        }
        if (unknown) unknown[from + f] += e[f].misses;
        pktseqi_free(&codec->allocator, e[f].value);
    }
    pktseqi_free(&codec->allocator, e);
    return status ? status : pktseqi_ok(err);
}

PKTSEQI_COLD

// ---- >>dataset: sequences cut in two ----------------------------------------------------------
//
// A dataset is a block of encoded rows and a list of pairs, each a first row and a length. A pair's
// input and target are views into the rows, so a sequence that counts several times is there once.
//
//   first_row           + N                       + length
//       |  input (N rows)  |     target (T rows)     |
//                       ^ or ^ the decoder's first token: see pktseq_start
//
// Rows are dense (x, and y for the targets) or packed. A recommended packet has some 400 features
// of which three are not zero: dense that is 1.7 kB, packed 12 bytes, and 10^8 packets fit.
//
//   packed     -0.31        1         417               fields     number    flag      class
//   dense      -0.31        1         0 0 .. 1 .. 0       first, count  0, 1   1, 1    2, 420
//
// A step computes the same bits either way: a product with a feature that is 0 adds nothing, and
// one with 1 is the weight itself. All rows are encoded, also of sequences that make no pair, so
// that a row of the table has the same number here.

// Names of pktseq_start in checkpoints and messages.
static const char *const pktseqi_start_name[] = {"target", "input", NULL};

// All other zeros are the defaults: the first token is the first target packet, nothing is dropped
// or held out, and each sequence counts once.
PKTSEQ_DEF pktseq_dataset_options pktseq_dataset_options_default(void) {
    pktseq_dataset_options options;
    memset(&options, 0, sizeof options);
    options.inputs = 3;  // the reference's; 0 would forecast every packet
    return options;
}

// Lists the sequences that are long enough: those that are trained on, then those held out, so that
// each part is one range of pairs. A last sequence that is dropped still counts when blocks are
// held out: >>learn selects the same blocks and does not know of it.
//   start    (sequences + 1) the row where each begins, and the number of rows; not falling
static pktseq_status pktseqi_dataset_pairs(pktseq_dataset *dataset, const size_t *start,
                                           size_t sequences, pktseq_error *err) {
    size_t use = sequences - (dataset->options.drop_last != 0), N = dataset->options.inputs;
    const unsigned char *repeats = dataset->options.repeats;
    // The largest number of pairs, and one more, as 0 bytes are not allocated. A sum that would
    // wrap stays at a size that cannot be allocated.
    size_t room = 1;
    for (size_t s = 0; s < use; ++s) room = pktseqi_plus(room, repeats ? repeats[s] : 1);
    dataset->options.repeats = NULL;  // borrowed until now
    dataset->first_row = (size_t *)pktseqi_alloc_large(&dataset->allocator, room,
                                                       sizeof *dataset->first_row);
    dataset->length = (size_t *)pktseqi_alloc_large(&dataset->allocator, room,
                                                    sizeof *dataset->length);
    if (!dataset->first_row || !dataset->length) return pktseqi_no_memory(err);
    // Two passes over the sequences are cheaper than sorting and keep their order in both parts.
    for (int held = 0; held < (dataset->options.hold_out > 0 ? 2 : 1); ++held) {
        for (size_t s = 0; s < use; ++s) {
            size_t n = start[s + 1] - start[s], count = repeats ? repeats[s] : 1;
            if (pktseqi_held_out(s, sequences, dataset->options.hold_out, repeats) != held)
                continue;
            // A sequence of N packets or fewer has nothing to predict. N + 1 could wrap.
            if (count > 0 && n <= N) ++dataset->skipped;
            for (; count > 0 && n > N; --count) {  // repeats are neighbours; training mixes pairs
                dataset->first_row[dataset->pairs] = start[s];
                dataset->length[dataset->pairs++] = n;
                if (n - N > dataset->longest) dataset->longest = n - N;
            }
        }
        if (!held) dataset->trained = dataset->pairs;
    }
    if (dataset->trained) return PKTSEQ_OK;  // pairs that are all held out teach nothing
    return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0, "none of the %z sequence%S that may be trained "
                         "on has more than %z packet%S, so there is nothing to predict", use, N);
}

// Begins a dataset: checks the options, which may be uninitialised memory of the caller's, so that
// the share is checked by its bits and the start against all of its names.
static pktseq_status pktseqi_dataset_begin(pktseq_dataset *dataset, size_t in, size_t out,
                                           size_t rows, const pktseq_dataset_options *options,
                                           const pktseq_allocator *allocator, pktseq_error *err) {
    if (!options || (options->start != PKTSEQ_START_TARGET && options->start != PKTSEQ_START_INPUT))
        return pktseqi_bad_argument(err, "dataset options are NULL or name an unknown start");
    if (!pktseqi_share_below_one(&options->hold_out))
        return pktseqi_bad_argument(err, "hold_out is not a share from 0 to below 1");
    dataset->options = *options;
    dataset->allocator = pktseqi_allocator(allocator);
    dataset->in = in;
    dataset->out = out;
    dataset->rows = rows;
    return PKTSEQ_OK;
}

// Ends a dataset: lists its pairs, or frees what was made before a failure.
//   status   of all steps so far
static pktseq_status pktseqi_dataset_end(pktseq_dataset *dataset, const size_t *start,
                                         size_t sequences, pktseq_status status,
                                         pktseq_error *err) {
    if (!status) status = pktseqi_dataset_pairs(dataset, start, sequences, err);
    if (!status) return pktseqi_ok(err);
    pktseq_dataset_free(dataset);
    return status;
}

// Returns the packing of a codec's rows, which borrows the codec's lists.
static pktseq_packing pktseqi_codec_packing(const pktseq_codec *codec) {
    pktseq_packing p;
    p.features = codec->features;
    p.fields = codec->fields;
    p.field = codec->field_group;
    p.groups = codec->groups;
    p.group = codec->group;
    p.group_field = codec->group_field;
    return p;
}

// Copies what a dataset needs of its codec, which may be freed first: its packing with all lists,
// the groups in one block, from packing.field, those of the fields and then those of the targets.
// Dense datasets have it, too: a likelihood needs their groups.
static pktseq_status pktseqi_dataset_packing(pktseq_dataset *dataset, const pktseq_codec *codec,
                                             pktseq_error *err) {
    size_t F = codec->fields, G = codec->groups;  // not 0: a codec has a field that is predicted
    pktseq_group *group = (pktseq_group *)pktseqi_alloc(&dataset->allocator, F + G, sizeof *group);
    size_t *field = (size_t *)pktseqi_alloc(&dataset->allocator, G, sizeof *field);
    dataset->packing = pktseqi_codec_packing(codec);
    dataset->packing.field = group;  // set before the check, so that what is there is freed
    dataset->packing.group_field = field;
    dataset->contexts = codec->contexts;
    dataset->field_count = codec->field_count;
    dataset->unknown = (size_t *)pktseqi_alloc_zeroed(&dataset->allocator, codec->field_count,
                                                      sizeof *dataset->unknown);
    if (!group || !field || !dataset->unknown) return pktseqi_no_memory(err);
    memcpy(group, codec->field_group, F * sizeof *group);
    memcpy(group + F, codec->group, G * sizeof *group);
    memcpy(field, codec->group_field, G * sizeof *field);
    dataset->packing.group = group + F;
    return PKTSEQ_OK;
}

// Encodes all rows of a table into *rows, memory of the dataset, and counts unknown texts.
//   rows     out: (table->rows, the width of the form); NULL without memory
static pktseq_status pktseqi_dataset_encode(pktseq_dataset *dataset, const pktseq_codec *codec,
                                            const pktseq_table *table, pktseq_form form,
                                            const pktseq_real **rows, pktseq_error *err) {
    size_t count = pktseqi_times(table->rows, pktseqi_codec_width(codec, form));
    // Rows are most of what a program allocates, so in large pages.
    pktseq_real *x = (pktseq_real *)pktseqi_alloc_large(&dataset->allocator, count, sizeof *x);
    *rows = x;
    if (!x) return pktseqi_no_memory(err);
    return pktseq_codec_encode(codec, table, 0, table->rows, form, x, dataset->unknown, err);
}

// Sets y: x itself, or a copy of its features that are targets, as a step compares its O outputs
// with O numbers in a row.
static pktseq_status pktseqi_dataset_targets(pktseq_dataset *dataset, const pktseq_codec *codec,
                                             pktseq_error *err) {
    size_t D = dataset->in, O = dataset->out;
    pktseq_real *y;
    dataset->y = dataset->x;
    if (D == O) return PKTSEQ_OK;  // every feature is a target, in the same order
    dataset->y = y = (pktseq_real *)pktseqi_alloc_large(
        &dataset->allocator, pktseqi_times(dataset->rows, O), sizeof *y);
    if (!y) return pktseqi_no_memory(err);
    // target[o] < D: they are indices of the codec's features.
    for (size_t row = 0; row < dataset->rows; ++row)
        for (size_t o = 0; o < O; ++o) y[row * O + o] = dataset->x[row * D + codec->target[o]];
    return PKTSEQ_OK;
}

// Returns the seconds between the first and the last packet of a table; 0 where there are no
// timestamps. Connections overlap in time, so all rows are read.
// False alarms an hour, and the hours that a promise needs, are computed from it.
static double pktseqi_table_seconds(const pktseq_table *table) {
    const pktseq_column *time = pktseq_table_column(table, "timestamp");
    // A table filled by hand may hold any times: an infinite difference counts as 0.
    double first = DBL_MAX, last = -DBL_MAX;
    for (size_t row = 0; pktseqi_column_numbers(time) && row < table->rows; ++row) {
        double t = pktseqi_column_at(time, row);
        if (t < first) first = t;
        if (t > last) last = t;
    }
    return last > first && last - first < DBL_MAX ? last - first : 0;
}

// Encodes a table to packed, or to x and y, and to c. One number a field is faster than one a
// feature only if there are far fewer of them, since packed inputs are spread out again, or their
// columns of the weights gathered: from 64 features on, at least 4 a field. The reference's 25
// features of 15 fields stay dense.
static pktseq_status pktseqi_dataset_rows(pktseq_dataset *dataset, const pktseq_codec *codec,
                                          const pktseq_table *table, pktseq_error *err) {
    pktseq_status status;
    dataset->seconds = pktseqi_table_seconds(table);
    // With 64 features a row is 256 bytes, four cache lines; packed to a quarter it is one.
    if (codec->features >= 64 && codec->features / 4 >= codec->fields) {
        status = pktseqi_dataset_encode(dataset, codec, table, PKTSEQ_FORM_PACKED,
                                        &dataset->packed, err);
    } else {
        status = pktseqi_dataset_encode(dataset, codec, table, PKTSEQ_FORM_DENSE, &dataset->x,
                                        err);
        if (status == PKTSEQ_OK) status = pktseqi_dataset_targets(dataset, codec, err);
    }
    // The context is dense in either case: its numbers are few, and none of them is a class.
    if (status || !codec->contexts) return status;
    return pktseqi_dataset_encode(dataset, codec, table, PKTSEQ_FORM_CONTEXT, &dataset->c, err);
}

// That texts have names is checked where they are looked up, by encode.
PKTSEQ_DEF pktseq_status pktseq_dataset_init(pktseq_dataset *dataset, const pktseq_codec *codec,
                                             const pktseq_table *table,
                                             const pktseq_dataset_options *options,
                                             const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_status status;
    if (!dataset) return pktseqi_bad_argument(err, "dataset is NULL");
    memset(dataset, 0, sizeof *dataset);
    if (!codec || !codec->field_count || !table || !table->rows)
        return pktseqi_bad_argument(err, "codec or table is NULL or empty");
    status = pktseqi_table_check(table, err);
    if (!status) status = pktseqi_table_check_starts(table, err);
    if (!status)
        status = pktseqi_dataset_begin(dataset, codec->features, codec->targets, table->rows,
                                       options, allocator, err);
    if (!status) status = pktseqi_dataset_packing(dataset, codec, err);
    if (!status) status = pktseqi_dataset_rows(dataset, codec, table, err);
    return pktseqi_dataset_end(dataset, table->start, table->sequences, status, err);
}

// Features of the caller's own have no groups: a likelihood needs those of the config. Sequences
// may be empty here, and are then skipped.
PKTSEQ_DEF pktseq_status pktseq_dataset_wrap(pktseq_dataset *dataset, const pktseq_real *x,
                                             size_t in, const pktseq_real *y, size_t out,
                                             const size_t *start, size_t sequences,
                                             const pktseq_dataset_options *options,
                                             const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_status status;
    if (!dataset) return pktseqi_bad_argument(err, "dataset is NULL");
    memset(dataset, 0, sizeof *dataset);
    if (!x || !y || !in || !out || !start || !sequences)
        return pktseqi_bad_argument(err, "x, y or start is NULL, or a size is 0");
    // A row of x cannot have two lengths.
    if (x == y && in != out) return pktseqi_bad_argument(err, "x is y, but in is not out");
    for (size_t s = 0; s < sequences; ++s)
        if (start[s] > start[s + 1]) return pktseqi_bad_argument(err, "start must not fall");
    dataset->x = x;
    dataset->y = y;
    dataset->borrowed = 1;  // free leaves x and y alone
    status = pktseqi_dataset_begin(dataset, in, out, start[sequences], options, allocator, err);
    return pktseqi_dataset_end(dataset, start, sequences, status, err);
}

// Only two numbers are kept for a pair; its pointers are computed each time. Where the first token
// is the last input packet and N is 0, it is zeros, for which NULL stands.
PKTSEQ_DEF pktseq_pair pktseq_dataset_pair(const pktseq_dataset *dataset, size_t index) {
    pktseq_pair pair;
    size_t row, target;
    memset(&pair, 0, sizeof pair);
    if (!dataset || index >= dataset->pairs) return pair;
    row = dataset->first_row[index];
    pair.inputs = dataset->options.inputs;
    pair.targets = dataset->length[index] - pair.inputs;
    target = row + pair.inputs;  // a row: only sequences of more than N packets make pairs
    if (dataset->c) pair.context = dataset->c + target * dataset->contexts;
    // Either the dense pointers or the packed ones; the others stay NULL, so that mixing them up is
    // found at once.
    if (dataset->packed) {
        size_t F = dataset->packing.fields;
        pair.packing = &dataset->packing;
        pair.packed_input = dataset->packed + row * F;
        pair.packed_target = pair.packed_first = dataset->packed + target * F;
        if (dataset->options.start == PKTSEQ_START_INPUT)
            pair.packed_first = pair.inputs ? pair.packed_target - F : NULL;
    } else {
        pair.input = dataset->x + row * dataset->in;
        pair.target = pair.first = dataset->y + target * dataset->out;
        if (dataset->options.start == PKTSEQ_START_INPUT)
            pair.first = pair.inputs ? pair.target - dataset->out : NULL;
    }
    return pair;
}

// Returns the index of a class among the features of its group, or their count for none. Rows that
// a caller packed may hold anything: NaN and numbers out of range are none.
//   v        the group's number in a packed row
static size_t pktseqi_hot(const pktseq_group *group, pktseq_real v) {
    return v >= 0 && v < (pktseq_real)group->count ? (size_t)v : group->count;
}

// Writes all features of one group or field of a packed row to their places in x.
//   group    its place in x, and its kind
//   v        its number in the packed row
//   x        (D) for a field, (O) for a group of targets
static void pktseqi_unpack(const pktseq_group *group, pktseq_real v, pktseq_real *x) {
    x += group->first;
    if (group->kind != PKTSEQ_GROUP_CLASS) {
        x[0] = v;
        return;
    }
    for (size_t i = 0; i < group->count; ++i) x[i] = 0;
    if (pktseqi_hot(group, v) < group->count) x[pktseqi_hot(group, v)] = 1;
}

// Writes all features of a packed row (F) to x (D).
static void pktseqi_unpack_inputs(const pktseq_packing *p, const pktseq_real *row,
                                  pktseq_real *x) {
    for (size_t f = 0; f < p->fields; ++f) pktseqi_unpack(&p->field[f], row[f], x);
}

// Writes the target features of a packed row to y (O), all of it, as the groups cover y.
//   row      (F) packed
static void pktseqi_unpack_targets(const pktseq_packing *p, const pktseq_real *row,
                                   pktseq_real *y) {
    for (size_t g = 0; g < p->groups; ++g) pktseqi_unpack(&p->group[g], row[p->group_field[g]], y);
}

// For readers that need not know how rows are kept: tests, pages, other languages.
PKTSEQ_DEF pktseq_status pktseq_dataset_dense(const pktseq_dataset *dataset, size_t row,
                                              pktseq_real *x, pktseq_real *y) {
    const pktseq_packing *p;
    if (!dataset || row >= dataset->rows) return PKTSEQ_ERROR_ARGUMENT;
    // A copy, as the caller may change x and y.
    if (!dataset->packed) {
        if (x) memcpy(x, dataset->x + row * dataset->in, dataset->in * sizeof *x);
        if (y) memcpy(y, dataset->y + row * dataset->out, dataset->out * sizeof *y);
        return PKTSEQ_OK;
    }
    p = &dataset->packing;  // x consists of fields, y of groups
    if (x) pktseqi_unpack_inputs(p, dataset->packed + row * p->fields, x);
    if (y) pktseqi_unpack_targets(p, dataset->packed + row * p->fields, y);
    return PKTSEQ_OK;
}

// Also frees a dataset that was made in part. y is x where every feature is a target.
PKTSEQ_DEF void pktseq_dataset_free(pktseq_dataset *dataset) {
    if (!dataset) return;
    if (!dataset->borrowed) {
        if (dataset->y != dataset->x) pktseqi_free(&dataset->allocator, (void *)dataset->y);
        pktseqi_free(&dataset->allocator, (void *)dataset->x);
    }
    pktseqi_free(&dataset->allocator, (void *)dataset->packed);
    pktseqi_free(&dataset->allocator, (void *)dataset->c);
    pktseqi_free(&dataset->allocator, (void *)dataset->packing.field);
    pktseqi_free(&dataset->allocator, (void *)dataset->packing.group_field);
    pktseqi_free(&dataset->allocator, dataset->first_row);
    pktseqi_free(&dataset->allocator, dataset->length);
    pktseqi_free(&dataset->allocator, dataset->unknown);
    memset(dataset, 0, sizeof *dataset);
}

PKTSEQI_COLD_END

// ---- >>random: a stream for every purpose -----------------------------------------------------

// How this section works: SplitMix64 advances a counter by a constant and mixes its bits. It is
// short, has no bad states, and any stream can be entered anywhere without drawing what comes
// before. That is why a resumed run, and every rank of a training on many machines, draws the same
// numbers.

// Mixes 64 bits: the finalizer of SplitMix64 (Steele, Lea and Flood 2014, doi
// 10.1145/2714064.2660195).
static uint64_t pktseqi_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Returns the next 64 random bits. The increment is 2^64 divided by the golden ratio, made odd, so
// the counter takes all 2^64 values before it repeats.
static uint64_t pktseqi_random(uint64_t *state) {
    return pktseqi_mix(*state += 0x9e3779b97f4a7c15u);
}

// Purposes. Each has its own streams, so an extra draw for one purpose changes no other.
enum { PKTSEQI_FOR_WEIGHTS, PKTSEQI_FOR_DRAW, PKTSEQI_FOR_SHUFFLE, PKTSEQI_FOR_TEACHER };

// Returns the state at the start of stream `index` of a purpose. It depends on no earlier draw, so
// a resumed run finds its numbers from the seed and the iteration alone.
static uint64_t pktseqi_random_at(uint64_t seed, int purpose, uint64_t index) {
    uint64_t state = pktseqi_mix(seed + 0x9e3779b97f4a7c15u) + (uint64_t)purpose;
    return pktseqi_mix(pktseqi_mix(state) + index);
}

// Draws uniformly from [0, 1), a multiple of 2^-24. That is exact in float, so float and double
// builds draw the same numbers.
static double pktseqi_random_unit(uint64_t *state) {
    return (double)(pktseqi_random(state) >> 40) / 16777216.0;
}

// Draws uniformly from 0 .. n-1, n > 0. Values from the largest multiple of n upwards would favour
// small results, so they are rejected and drawn again.
static size_t pktseqi_random_below(uint64_t *state, size_t n) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, r;
    do r = pktseqi_random(state);
    while (r >= limit);
    return (size_t)(r % n);
}

// ---- >>parallel: a pool of threads for loops of tasks -----------------------------------------

// How this section works: pktseqi_pool_run starts the threads once for a whole pass, forward or
// backward, or for all of training, and runs body() on the calling thread. Each call of
// pktseqi_pool_tasks in body() is one parallel loop. Its tasks are dealt round-robin into one share
// per thread; a thread takes the tasks of its own share first, then those left in any other, and
// the calling thread waits until `open` is 0. Without OpenMP, or with one thread, the calling
// thread runs all tasks in order.
//
// Every number is written by exactly one task, and no sum spans several tasks, so results depend
// neither on the number of threads nor on their timing.

enum { PKTSEQI_SHARES = 16 };  // further threads help with the shares of the first 16

// The tasks of the current loop. A thread that has lost its core to another program takes no task,
// so no other waits for it. Shares keep the data of a task in the cache of one core from loop to
// loop: with a single queue, two threads took 1.3 times as long as one for a step of momentum.
typedef struct pktseqi_pool {
    void (*fn)(void *user, size_t task);
    void *user;
    size_t tasks;
    size_t shares;
    size_t open;  // tasks that are not finished
    int over;     // 1: the threads return
    struct {
        size_t left;    // tasks of this share that no thread has taken
        char room[56];  // a cache line each, since different threads count them down
    } share[PKTSEQI_SHARES];
} pktseqi_pool;

#ifdef PKTSEQI_POOL
// Returns the number of tasks of share k, which are k, k + shares, k + 2 shares, ..
static size_t pktseqi_pool_share(const pktseqi_pool *pool, size_t k) {
    return (pool->tasks + pool->shares - 1 - k) / pool->shares;
}

// Takes one task, from share `own` if any is left there, and runs it. Returns 0 if no task is left.
// fn, user and tasks do not change until all tasks are finished. Taking a task (acquire) comes
// after they were written (release, in pktseqi_pool_tasks), and finishing it (release) publishes
// its results to the thread that waits for `open` (acquire).
static int pktseqi_pool_task(pktseqi_pool *pool, size_t own) {
    for (size_t i = 0; i < pool->shares; ++i) {
        size_t k = (own + i) % pool->shares, *share = &pool->share[k].left;
        size_t left = __atomic_load_n(share, __ATOMIC_RELAXED);
        while (left > 0) {
            if (!__atomic_compare_exchange_n(share, &left, left - 1, 1, __ATOMIC_ACQUIRE,
                                             __ATOMIC_RELAXED))
                continue;
            pool->fn(pool->user, k + pool->shares * (pktseqi_pool_share(pool, k) - left));
            __atomic_sub_fetch(&pool->open, 1, __ATOMIC_RELEASE);
            return 1;
        }
    }
    return 0;
}

// Runs tasks until the pool is over. Without any it spins for about 0.1 ms (4000 pauses), then
// yields the core 1000 times, and then sleeps. OpenMP's own threads spin for milliseconds: measured
// with two programs on two cores, they took the core from the very thread that they waited for, and
// training took 2.5 times as long.
static void pktseqi_pool_wait(pktseqi_pool *pool, size_t own) {
    unsigned waited = 0;
    while (!__atomic_load_n(&pool->over, __ATOMIC_ACQUIRE)) {
        if (pktseqi_pool_task(pool, own)) waited = 0;
        else if (++waited < 4000) PKTSEQI_PAUSE;
        else if (waited < 5000) sched_yield();
        else poll(NULL, 0, 1);  // a millisecond
    }
}
#endif

// Runs fn(user, 0) .. fn(user, tasks - 1) and returns when all are finished. pool: NULL for one
// thread. fn may write only the results of its own task.
static void pktseqi_pool_tasks(pktseqi_pool *pool, size_t tasks, void (*fn)(void *, size_t),
                               void *user) {
#ifdef PKTSEQI_POOL
    if (pool) {
        pool->fn = fn;
        pool->user = user;
        pool->tasks = tasks;
        pool->open = tasks;
        for (size_t k = 0; k < pool->shares; ++k)
            __atomic_store_n(&pool->share[k].left, pktseqi_pool_share(pool, k), __ATOMIC_RELEASE);
        while (pktseqi_pool_task(pool, 0)) continue;
        for (unsigned waited = 0; __atomic_load_n(&pool->open, __ATOMIC_ACQUIRE);)
            if (++waited < 4000) PKTSEQI_PAUSE;
            else sched_yield();
        return;
    }
#endif
    (void)pool;
    for (size_t task = 0; task < tasks; ++task) fn(user, task);
}

// Runs body(user, pool) on the calling thread, with a pool of `threads` threads, or NULL if there
// is only one. Inside another parallel region OpenMP provides no further threads.
static void pktseqi_pool_run(int threads, void (*body)(void *user, pktseqi_pool *pool),
                             void *user) {
#ifdef PKTSEQI_POOL
    if (threads > 1) {
        pktseqi_pool pool;
        memset(&pool, 0, sizeof pool);
        pool.shares = threads < PKTSEQI_SHARES ? (size_t)threads : (size_t)PKTSEQI_SHARES;
#pragma omp parallel num_threads(threads)
        if (omp_get_thread_num() > 0) {
            pktseqi_pool_wait(&pool, (size_t)omp_get_thread_num());
        } else {
            body(user, omp_get_num_threads() > 1 ? &pool : NULL);
            __atomic_store_n(&pool.over, 1, __ATOMIC_RELEASE);
        }
        return;
    }
#endif
    (void)threads;
    body(user, NULL);
}

// ---- >>kernels: the few loops that all arithmetic is made of ----------------------------------

// How this section works: pktseqi_kernels is a table of functions. >>scalar fills it in plain C,
// >>vectors once for each instruction set, and pktseqi_choose returns the best table for the
// processor at run time. A new instruction set needs a macro at the top of the implementation
// (PKTSEQI_X86, _NEON), an #include below, a line in pktseqi_choose, and in >>vectors a block of
// macros, add_lanes and, unless it has masks, load and store. LANES must divide 16; WIDE and TAIL
// are at most 4. A second one that is not of x86 also needs #undef of the macros that NEON's block
// defines. tests/test_kernels.c then compares it with >>scalar bit for bit.
//
// Every loop below is defined on vectors of 16 numbers and fixes the order of each sum. Whether a
// machine uses 1 register of 16, 2 of 8, 4 of 4 or 16 single numbers then cannot change a bit of
// the result. Three rules:
//   - A product that is added is fused with the addition (rounded once): fma(a, b, c) = a*b + c.
//   - A dot product has 16 lanes. Lane l sums i = l, l + 16, ..; then lanes l + 8 are added to
//     lanes l, then l + 4, l + 2, l + 1.
//   - A sum over rows or packets is taken in pieces of 64 terms. Each piece starts from zero and
//     adds one term after the other; the pieces are added in order.
// 16 is the width of the widest register, AVX-512's. 64 states of 256 units take 64 KB, and the
// gradients of 64 units as much, so both stay in the second-level cache.
enum { PKTSEQI_PIECE = 64 };

// Returns the size of the next piece where `left` terms are left.
static size_t pktseqi_piece(size_t left) {
    return left < PKTSEQI_PIECE ? left : (size_t)PKTSEQI_PIECE;
}

// Returns the number of pieces of `terms` terms.
static size_t pktseqi_pieces(size_t terms) { return (terms + PKTSEQI_PIECE - 1) / PKTSEQI_PIECE; }

// One factor of a row of dot products: w (rows, cols) times x, (count) rows x_stride apart.
typedef struct pktseqi_product {
    const pktseq_real *w;
    size_t cols;
    const pktseq_real *x;
    size_t x_stride;
    const struct pktseqi_nonzero *entry;  // (count, entries) instead of x, or NULL
    size_t entries;
} pktseqi_product;

// One number of a sparse row, in its lane of 16 (lane col % 16) with zeros in the others. Adding
// the product of a zero changes no bit of a sum, so the zeros of the row can be skipped.
typedef struct pktseqi_nonzero {
    size_t col;
    pktseq_real x[16];
} pktseqi_nonzero;

// The kernels, compiled for one instruction set.
typedef struct pktseqi_kernels {
    const char *build_info;  // what pktseq_build_info returns where these are chosen

    // out[b][i] = sum over the products of w[i] . x[b]      i < rows, b < count
    void (*matmul)(const pktseqi_product *product, int products, size_t rows, size_t count,
                 pktseq_real *out, size_t out_stride);

    // out[s][c] += scale * sum over t < terms of a[s*as + t*at] * b[t][c]
    //   s < slots, c < cols, terms up to PKTSEQI_PIECE
    //   overwrite: out counts as zeros, whatever it holds, even NaN
    void (*rank_update)(const pktseq_real *a, size_t as, size_t at, const pktseq_real *const *b,
                        size_t terms, size_t slots, size_t cols, pktseq_real scale, int overwrite,
                        pktseq_real *out, size_t out_stride);

    // y[i] += scale * sum over t < terms of d[t][i]         i < n
    void (*column_sums)(const pktseq_real *d, size_t d_stride, size_t terms, size_t n,
                        pktseq_real scale, int overwrite, pktseq_real *y);

    // The gates of a GRU step from their dot products, and their derivatives: see >>gru.
    void (*gates)(const pktseq_real *b_ih, const pktseq_real *b_hh, size_t H, size_t count,
                  pktseq_real *gate, size_t gate_stride, const pktseq_real *h, pktseq_real *h2,
                  size_t h_stride);
    void (*deltas)(size_t H, size_t count, const pktseq_real *h, pktseq_real *dh, size_t h_stride,
                   pktseq_real *gate, size_t gate_stride);

    // axpy      y += a * x
    // scale     v *= a
    // momentum  v = m * v + s * g, each rounded, then w += a * v
    // exp       v = e^(v - max); returns their sum, in 16 lanes like a dot product's
    // sigmoid   v = 1 / (1 + e^-v)
    // max       returns the largest of n >= 1 numbers
    // squares   returns the sum of v * v in double, where no square of a float overflows
    void (*axpy)(pktseq_real a, const pktseq_real *x, pktseq_real *y, size_t n);
    void (*scale)(pktseq_real a, pktseq_real *v, size_t n);
    void (*momentum)(pktseq_real m, pktseq_real s, const pktseq_real *g, pktseq_real a,
                     pktseq_real *v, pktseq_real *w, size_t n);
    pktseq_real (*exp)(pktseq_real *v, size_t n, pktseq_real max);
    void (*sigmoid)(pktseq_real *v, size_t n);
    pktseq_real (*max)(const pktseq_real *v, size_t n);
    double (*squares)(const pktseq_real *v, size_t n);
} pktseqi_kernels;

// The exponential function of all kernels: e^x = 2^n (1 + p) with n = round(x / ln 2), the
// remainder r = x - n ln 2 in two steps, and p = e^r - 1 by its Taylor series to r^7. (|r| is at
// most ln 2 / 2, so the truncation error is below a quarter of an ulp.) Adding 1.5 * 2^23 rounds to
// an integer and leaves it in the low bits. Largest errors over all floats, measured by
// `build/test_kernels all`: e^x 1.06 ulp, sigmoid 2.48 ulp, tanh 2.50 ulp. x is clamped to -87 ..
// 88 first, where e^x is a normal float.
#define PKTSEQI_LOG2_E 1.44269504088896341f
#define PKTSEQI_LN2_HIGH 0.693145751953125f
#define PKTSEQI_LN2_LOW 1.42860682030941723e-6f
#define PKTSEQI_ROUNDER 12582912.0f

// Returns a * b + c, rounded once, for the scalar kernels of float. Without such an instruction C
// libraries are slow at it, and some are wrong. The product of two floats is exact in double. Its
// sum s with c is rounded, but the rounding error e is known exactly (Knuth's TwoSum). If e is not
// 0, s is moved to its neighbour on that side, unless its last bit is 1 already. An odd s is never
// half way between two floats, so rounding it to float equals rounding the exact sum (Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
static float pktseqi_fmaf(float a, float b, float c) {
#if defined(PKTSEQI_DOUBLES) && !defined(FP_FAST_FMAF)
    double product = (double)a * (double)b, addend = (double)c, s = product + addend;
    double more = s - product, e = (product - (s - more)) + (addend - more);
    uint64_t bits = pktseqi_bits(&s);
    if ((e > 0 || e < 0) && !(bits & 1)) {  // which implies that s is not 0
        bits = (e > 0) == (s > 0) ? bits + 1 : bits - 1;
        memcpy(&s, &bits, sizeof s);
    }
    return (float)s;
#else
    return fmaf(a, b, c);
#endif
}

// Returns the sum of 16 lanes in the order of the tree: adds lanes l + 8 to lanes l, then l + 4,
// l + 2 and l + 1. Overwrites lane.
static pktseq_real pktseqi_sum_lanes(pktseq_real *lane) {
    for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
    return lane[0];
}

// How the library was built, as one string per table of kernels. The preprocessor joins it, since
// pktseq_build_info has no memory to do so at run time.
#define PKTSEQI_QUOTE2(x) #x
#define PKTSEQI_QUOTE(x) PKTSEQI_QUOTE2(x)
#ifdef _OPENMP
#define PKTSEQI_INFO_OPENMP ", OpenMP " PKTSEQI_QUOTE(_OPENMP)
#else
#define PKTSEQI_INFO_OPENMP ", no OpenMP"
#endif
#ifdef PKTSEQ_NO_STDIO
#define PKTSEQI_INFO_STDIO ", no stdio"
#else
#define PKTSEQI_INFO_STDIO ""
#endif
#ifdef __VERSION__
#define PKTSEQI_INFO_COMPILER ", compiler " __VERSION__
#else
#define PKTSEQI_INFO_COMPILER ""
#endif
#define PKTSEQI_BUILD_INFO \
    "pktseq " PKTSEQ_VERSION ", " PKTSEQI_QUOTE(PKTSEQ_REAL) ", " PKTSEQI_ISA_NAME \
        PKTSEQI_INFO_OPENMP PKTSEQI_INFO_STDIO PKTSEQI_INFO_COMPILER

// The next two sections are compiled once for each instruction set: this file includes itself for
// the machine's fused multiply-add (double on x86) or its vectors (float), then continues with
// plain C.
#define PKTSEQI_SELF
#if defined(PKTSEQI_X86) && !PKTSEQI_IS_FLOAT
#define PKTSEQI_SCALAR
#define PKTSEQI_ISA_NAME "FMA"
#define PKTSEQI_TARGET __attribute__((target("avx2,fma")))
#define PKTSEQI_K(name) pktseqi_##name##_fma
#include PKTSEQ_FILE
#elif defined(PKTSEQI_X86)
#define PKTSEQI_ISA 256
#define PKTSEQI_ISA_NAME "AVX2"
#define PKTSEQI_TARGET __attribute__((target("avx2,fma")))
#define PKTSEQI_K(name) pktseqi_##name##_avx2
#include PKTSEQ_FILE
#define PKTSEQI_ISA 512
#define PKTSEQI_ISA_NAME "AVX-512"
#define PKTSEQI_TARGET __attribute__((target("avx512f")))
#define PKTSEQI_K(name) pktseqi_##name##_avx512
#include PKTSEQ_FILE
#elif defined(PKTSEQI_NEON)
#define PKTSEQI_ISA 128
#define PKTSEQI_ISA_NAME "NEON"
#define PKTSEQI_TARGET
#define PKTSEQI_K(name) pktseqi_##name##_neon
#include PKTSEQ_FILE
#endif
#undef PKTSEQI_SELF
#define PKTSEQI_SCALAR
#define PKTSEQI_ISA_NAME "plain C"
#define PKTSEQI_TARGET
#define PKTSEQI_K(name) pktseqi_##name##_scalar
#endif  // PKTSEQI_IMPLEMENTED

#ifdef PKTSEQI_K
// The next two functions have the same source for all instruction sets; the compiler vectorises
// them.

// Returns the largest number, which a softmax subtracts. The order does not matter. A NaN at the
// front stays the result, and any other makes the softmax's sum NaN: divergence is not hidden.
static PKTSEQI_TARGET pktseq_real PKTSEQI_K(max)(const pktseq_real *v, size_t n) {
    pktseq_real lane[16], max = v[0];
    size_t i = 0;
    for (size_t l = 0; l < 16; ++l) lane[l] = v[0];
    for (; i + 16 <= n; i += 16) {
        PKTSEQI_SIMD
        for (size_t l = 0; l < 16; ++l) lane[l] = v[i + l] > lane[l] ? v[i + l] : lane[l];
    }
    for (; i < n; ++i) max = v[i] > max ? v[i] : max;
    for (size_t l = 0; l < 16; ++l) max = lane[l] > max ? lane[l] : max;
    return max;
}

// Returns the sum of squares, for the norm of the gradients. Number i is added to lane i % 16; the
// 16 lanes are added one after the other.
static PKTSEQI_TARGET double PKTSEQI_K(squares)(const pktseq_real *v, size_t n) {
    double lane[16] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        PKTSEQI_SIMD
        for (size_t l = 0; l < 16; ++l) lane[l] += (double)v[i + l] * (double)v[i + l];
    }
    for (; i < n; ++i) lane[i % 16] += (double)v[i] * (double)v[i];
    for (int l = 0; l < 16; ++l) sum += lane[l];
    return sum;
}

// ---- >>scalar: the kernels in plain C, one number after the other -----------------------------

// How this section works: each function of pktseqi_kernels is a loop over single numbers, in the
// order of sums that >>kernels fixes. Read these first. The vector kernels are tested against them
// bit for bit, and they run where there are no vectors. In double, which has no vectors, they are
// compiled a second time for processors with a fused multiply-add, and exp and tanh are C's.
#ifdef PKTSEQI_SCALAR

// Returns a * b + c, rounded once, for the current number type.
PKTSEQI_INLINE pktseq_real PKTSEQI_K(fma)(pktseq_real a, pktseq_real b, pktseq_real c) {
    return sizeof a == sizeof(float) ? (pktseq_real)pktseqi_fmaf((float)a, (float)b, (float)c)
                                     : (pktseq_real)fma((double)a, (double)b, (double)c);
}

// Computes out[b][i] = w[i] . x[b]. Lane l of 16 sums the columns l, l + 16, .. of all products;
// then the lanes are added by the tree. The last columns of a row are padded with zeros to 16, in
// the code and not in memory.
static PKTSEQI_TARGET void PKTSEQI_K(matmul)(const pktseqi_product *product, int products,
                                           size_t rows, size_t count, pktseq_real *out,
                                           size_t out_stride) {
    for (size_t b = 0; b < count; ++b)
        for (size_t i = 0; i < rows; ++i) {
            // The lanes continue over all products: W_ih x + W_hh h is one long row times one long
            // column, so their sum is not rounded in between.
            pktseq_real lane[16] = {0};
            for (int k = 0; k < products; ++k) {
                size_t n = product[k].cols, j = 0;
                const pktseq_real *w = product[k].w + i * n;
                const pktseq_real *x = product[k].entry
                                           ? NULL : product[k].x + b * product[k].x_stride;
                // A sparse row: only the columns that are not zero, each in its lane.
                for (size_t e = 0; product[k].entry && e < product[k].entries; ++e) {
                    const pktseqi_nonzero *at = product[k].entry + b * product[k].entries + e;
                    for (size_t l = 0; l < 16; ++l)
                        lane[l] = PKTSEQI_K(fma)(w[at->col], at->x[l], lane[l]);
                }
                if (product[k].entry) continue;
                for (; j + 16 <= n; j += 16)
                    for (size_t l = 0; l < 16; ++l)
                        lane[l] = PKTSEQI_K(fma)(w[j + l], x[j + l], lane[l]);
                for (size_t l = 0; j < n && l < 16; ++l)  // the last vector is padded with zeros
                    lane[l] = PKTSEQI_K(fma)(j + l < n ? w[j + l] : 0, j + l < n ? x[j + l] : 0,
                                             lane[l]);
            }
            out[b * out_stride + i] = pktseqi_sum_lanes(lane);
        }
}

// Computes out[s] += scale * sum over t of a[s][t] * b[t]: up to 64 outer products, a matrix of
// rank k = terms. This is the gradient of a weight matrix, with packets as terms, and the product
// W' d, with units as terms.
static PKTSEQI_TARGET void PKTSEQI_K(rank_update)(const pktseq_real *a, size_t as, size_t at,
                                                const pktseq_real *const *b, size_t terms,
                                                size_t slots, size_t cols,
                                                pktseq_real scale, int overwrite, pktseq_real *out,
                                                size_t out_stride) {
    for (size_t s = 0; s < slots; ++s)
        for (size_t c = 0; c < cols; c += 16) {
            // 16 columns at a time only for speed: no sum here crosses lanes.
            pktseq_real sum[16] = {0}, *to = out + s * out_stride + c;
            size_t n = cols - c < 16 ? cols - c : 16;
            for (size_t t = 0; t < terms; ++t) {
                const pktseq_real *from = b[t] + c;
                for (size_t l = 0; l < n; ++l)
                    sum[l] = PKTSEQI_K(fma)(a[s * as + t * at], from[l], sum[l]);
            }
            for (size_t l = 0; l < n; ++l)
                to[l] = PKTSEQI_K(fma)(scale, sum[l], overwrite ? 0 : to[l]);
        }
}

// Computes y += scale * sum over t of d[t]: the gradient of a bias from the deltas d of up to 64
// packets. The last multiply-add is fused, so it rounds as rank_update does.
static PKTSEQI_TARGET void PKTSEQI_K(column_sums)(const pktseq_real *d, size_t d_stride,
                                               size_t terms, size_t n, pktseq_real scale,
                                               int overwrite, pktseq_real *y) {
    for (size_t i = 0; i < n; ++i) {
        pktseq_real sum = 0;
        for (size_t t = 0; t < terms; ++t) sum += d[t * d_stride + i];
        y[i] = PKTSEQI_K(fma)(scale, sum, overwrite ? 0 : y[i]);
    }
}

// Returns p of e^x = scale * (1 + p), as >>kernels explains; x from -87 to 88. The rounded n in the
// low bits of t becomes the exponent of scale by a shift.
PKTSEQI_INLINE pktseq_real PKTSEQI_K(exp_parts)(float x, pktseq_real *scale) {
    float t = pktseqi_fmaf(x, PKTSEQI_LOG2_E, PKTSEQI_ROUNDER), n = t - PKTSEQI_ROUNDER;
    float r, p, power;
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);  // low bits: n + 2^22 (from ROUNDER), which << 23 shifts out
    bits = (bits << 23) + (127u << 23);
    memcpy(&power, &bits, sizeof power);
    r = pktseqi_fmaf(n, -PKTSEQI_LN2_LOW, pktseqi_fmaf(n, -PKTSEQI_LN2_HIGH, x));
    p = pktseqi_fmaf(1.0f / 5040, r, 1.0f / 720);
    p = pktseqi_fmaf(p, r, 1.0f / 120);
    p = pktseqi_fmaf(p, r, 1.0f / 24);
    p = pktseqi_fmaf(p, r, 1.0f / 6);
    p = pktseqi_fmaf(p, r, 0.5f);
    *scale = (pktseq_real)power;
    return (pktseq_real)pktseqi_fmaf(p, r * r, r);
}

// Returns x clamped to low .. high. NaN stays NaN, since comparisons with it are false.
PKTSEQI_INLINE float PKTSEQI_K(clamp)(float x, float low, float high) {
    x = low > x ? low : x;
    return high < x ? high : x;
}

// Returns e^x, for softmax and sigmoid. In double it is C's: double is for checking gradients,
// where speed does not matter.
PKTSEQI_INLINE pktseq_real PKTSEQI_K(exp_of)(pktseq_real x) {
    pktseq_real p, scale;
    if (sizeof x == sizeof(double)) return (pktseq_real)exp((double)x);
    p = PKTSEQI_K(exp_parts)(PKTSEQI_K(clamp)((float)x, -87, 88), &scale);
    return PKTSEQI_K(fma)(p, scale, scale);
}

// Returns s = sigmoid(x) = 1 / (1 + e^-x), from 0 to 1: how far a gate is open. ds/dx = s*(1 - s).
PKTSEQI_INLINE pktseq_real PKTSEQI_K(sigmoid_of)(pktseq_real x) {
    return 1 / (1 + PKTSEQI_K(exp_of)(-x));
}

// Returns t = tanh(x) = (e^2x - 1) / (e^2x + 1), from -1 to 1. dt/dx = 1 - t*t.
PKTSEQI_INLINE pktseq_real PKTSEQI_K(tanh_of)(pktseq_real x) {
    pktseq_real p, scale;
    if (sizeof x == sizeof(double)) return (pktseq_real)tanh((double)x);
    p = PKTSEQI_K(exp_parts)(PKTSEQI_K(clamp)((float)x + (float)x, -87, 88), &scale);
    p = PKTSEQI_K(fma)(p, scale, scale - 1);  // e^2x - 1, exact enough also near 0
    return p / (p + 2);
}

// Turns W x + W h in the four quarters of gate into r, z, n, q, and computes the next state: the
// loop of plain_gru. The two biases of r and of z are added first, as in the vectors; q has its
// own, inside r * q. (1 - z)*n + z*h is n + z*(h - n) here, with one rounding less.
static PKTSEQI_TARGET void PKTSEQI_K(gates)(const pktseq_real *b_ih, const pktseq_real *b_hh,
                                            size_t H, size_t count, pktseq_real *gate,
                                            size_t gate_stride, const pktseq_real *h,
                                            pktseq_real *h2, size_t h_stride) {
    for (size_t b = 0; b < count; ++b, gate += gate_stride, h += h_stride, h2 += h_stride)
        for (size_t j = 0; j < H; ++j) {
            pktseq_real *gr = gate + j, *gz = gr + H, *gn = gz + H, *gq = gn + H;
            *gr = PKTSEQI_K(sigmoid_of)(*gr + (b_ih[j] + b_hh[j]));
            *gz = PKTSEQI_K(sigmoid_of)(*gz + (b_ih[H + j] + b_hh[H + j]));
            *gq = *gq + b_hh[2 * H + j];
            *gn = PKTSEQI_K(tanh_of)(PKTSEQI_K(fma)(*gr, *gq, *gn + b_ih[2 * H + j]));
            h2[j] = PKTSEQI_K(fma)(*gz, h[j] - *gn, *gn);
        }
}

// Turns r, z, n, q in gate into the derivatives before the activations, in place, and dh2 in dh
// into the part of dh that comes directly from h2 = (1 - z)*n + z*h: the loop of plain_gru_back.
//   was: h2 = (1 - z)*n + z*h        dz = dh2*(h - n)     dn = dh2*(1 - z)     dh = dh2*z
//   was: n = tanh(a_n + r*q)         an = dn*(1 - n*n)    dr = an*q            dq = an*r
//   was: r, z = sigmoid(..)          ar = dr*r*(1 - r)    az = dz*z*(1 - z)
static PKTSEQI_TARGET void PKTSEQI_K(deltas)(size_t H, size_t count, const pktseq_real *h,
                                             pktseq_real *dh, size_t h_stride, pktseq_real *gate,
                                             size_t gate_stride) {
    for (size_t b = 0; b < count; ++b, gate += gate_stride, h += h_stride, dh += h_stride)
        for (size_t j = 0; j < H; ++j) {
            pktseq_real *gr = gate + j, *gz = gr + H, *gn = gz + H, *gq = gn + H;
            pktseq_real r = *gr, z = *gz, n = *gn, q = *gq, dh2 = dh[j];
            pktseq_real dz = dh2 * (h[j] - n), dn = dh2 * (1 - z);
            pktseq_real an = dn * PKTSEQI_K(fma)(-n, n, 1);
            *gr = an * q * PKTSEQI_K(fma)(-r, r, r);
            *gz = dz * PKTSEQI_K(fma)(-z, z, z);
            *gn = an;
            *gq = an * r;
            dh[j] = dh2 * z;
        }
}

// Computes y += a * x: a step of SGD with a = -rate, and every other sum of two arrays.
static PKTSEQI_TARGET void PKTSEQI_K(axpy)(pktseq_real a, const pktseq_real *x, pktseq_real *y,
                                           size_t n) {
    for (size_t i = 0; i < n; ++i) y[i] = PKTSEQI_K(fma)(a, x[i], y[i]);
}

// Takes a step of SGD with momentum like torch.optim.SGD: v = m v + g, w -= rate v (a = -rate). The
// gradients are clipped to s * g on the way, with the same two roundings as in two passes.
static PKTSEQI_TARGET void PKTSEQI_K(momentum)(pktseq_real m, pktseq_real s, const pktseq_real *g,
                                               pktseq_real a, pktseq_real *v, pktseq_real *w,
                                               size_t n) {
    for (size_t i = 0; i < n; ++i) {
        v[i] = PKTSEQI_K(fma)(m, v[i], s * g[i]);
        w[i] = PKTSEQI_K(fma)(a, v[i], w[i]);
    }
}

// Computes v = e^(v - max) and returns the sum, which a softmax divides by. max is the largest of
// v, so no power is above 1 and the sum is at least 1.
static PKTSEQI_TARGET pktseq_real PKTSEQI_K(exp)(pktseq_real *v, size_t n, pktseq_real max) {
    pktseq_real lane[16] = {0};
    for (size_t i = 0; i < n; ++i) lane[i % 16] += v[i] = PKTSEQI_K(exp_of)(v[i] - max);
    return pktseqi_sum_lanes(lane);
}

// Multiplies v by a: clips gradients, and does a softmax's division.
static PKTSEQI_TARGET void PKTSEQI_K(scale)(pktseq_real a, pktseq_real *v, size_t n) {
    for (size_t i = 0; i < n; ++i) v[i] *= a;
}

// Computes v = sigmoid(v): the probabilities of outputs that are flags.
static PKTSEQI_TARGET void PKTSEQI_K(sigmoid)(pktseq_real *v, size_t n) {
    for (size_t i = 0; i < n; ++i) v[i] = PKTSEQI_K(sigmoid_of)(v[i]);
}

#else
// ---- >>vectors: the same kernels, a register at a time ----------------------------------------

// How this section works: it is compiled once for each instruction set. A register holds LANES
// numbers and has the compiler's own vector type V, so + - * / act on all of them, and a formula
// below is the formula of >>scalar. Macros stand for what the compiler has no operator for:
//   FMA(a, b, c)   a*b + c, rounded once
//   MIN, MAX       of a constant a and a number b; NaN stays NaN
//   SET(a)         a in every lane
//   POWER(a)       2^n, of an n that was rounded to an integer by adding PKTSEQI_ROUNDER
//   LOAD, STORE    LANES numbers, at any address
// SQUARE^2 is the number of 16-lane sums that the matmul keeps in registers, WIDE the number of
// registers of a row that the rank-k update takes at a time, TAIL the same at a row's end. They
// leave room for the factors: AVX-512 and NEON have 32 registers, AVX2 has 16. Measured with
// AVX-512: 4 x 4 sums reach 90 to 95 % of the multiply-add peak while the data are in the caches.
//
// Order: loads and stores, matmul, rank_update and column_sums, gates and deltas, loops over
// arrays. Loops marked UNROLL have constant bounds once their function is inlined: arrays of V that
// they index stay in registers, and nothing of them is in memory.
#if PKTSEQI_ISA == 512
// AVX-512 (Intel since Skylake-X, AMD since Zen 4): a register holds all 16 lanes, and every load
// and store takes a mask of lanes, so the ends of rows need no code of their own.
#define PKTSEQI_V __m512
#define PKTSEQI_LANES 16
#define PKTSEQI_SQUARE 4
#define PKTSEQI_WIDE 4
#define PKTSEQI_TAIL 2
#define PKTSEQI_MM(name) _mm512_##name
#define PKTSEQI_BITS(a) _mm512_castps_si512(a)
#define PKTSEQI_REAL_OF(bits) _mm512_castsi512_ps(bits)
#elif PKTSEQI_ISA == 256
// AVX2 (Intel since Haswell, AMD since Zen): two registers hold the 16 lanes. Masked loads and
// stores are slow on some processors, so they are used at the ends of rows only.
#define PKTSEQI_V __m256
#define PKTSEQI_LANES 8
#define PKTSEQI_SQUARE 2
#define PKTSEQI_WIDE 2
#define PKTSEQI_TAIL 2
#define PKTSEQI_MM(name) _mm256_##name
#define PKTSEQI_BITS(a) _mm256_castps_si256(a)
#define PKTSEQI_REAL_OF(bits) _mm256_castsi256_ps(bits)
#elif PKTSEQI_ISA == 128
// NEON (every 64-bit Arm): four registers hold the 16 lanes. There are no masks: the last 1 to 3
// numbers of a row are loaded and stored one by one.
#define PKTSEQI_V float32x4_t
#define PKTSEQI_LANES 4
#define PKTSEQI_SQUARE 2
#define PKTSEQI_WIDE 4
#define PKTSEQI_TAIL 4
#define PKTSEQI_LOAD(p) vld1q_f32(p)
#define PKTSEQI_STORE(p, a) vst1q_f32(p, a)
#define PKTSEQI_SET(a) vdupq_n_f32(a)
#define PKTSEQI_FMA(a, b, c) vfmaq_f32(c, a, b)
#define PKTSEQI_MIN(a, b) vminq_f32(a, b)
#define PKTSEQI_MAX(a, b) vmaxq_f32(a, b)
#define PKTSEQI_POWER(a) \
    vreinterpretq_f32_s32(vaddq_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23), \
                                    vdupq_n_s32(127 << 23)))
#else
#error "pktseq.h: an instruction set without its macros"
#endif
#ifndef PKTSEQI_REGISTERS  // what follows is the same text for all
#ifdef PKTSEQI_MM  // x86 has the same functions for each width
#define PKTSEQI_LOAD(p) PKTSEQI_MM(loadu_ps)(p)
#define PKTSEQI_STORE(p, a) PKTSEQI_MM(storeu_ps)(p, a)
#define PKTSEQI_SET(a) PKTSEQI_MM(set1_ps)(a)
#define PKTSEQI_FMA(a, b, c) PKTSEQI_MM(fmadd_ps)(a, b, c)
#define PKTSEQI_MIN(a, b) PKTSEQI_MM(min_ps)(a, b)
#define PKTSEQI_MAX(a, b) PKTSEQI_MM(max_ps)(a, b)
#define PKTSEQI_POWER(a) \
    PKTSEQI_REAL_OF(PKTSEQI_MM(add_epi32)(PKTSEQI_MM(slli_epi32)(PKTSEQI_BITS(a), 23), \
                                          PKTSEQI_MM(set1_epi32)(127 << 23)))
#endif
#define PKTSEQI_REGISTERS (16 / PKTSEQI_LANES)  // that make 16 lanes
#define PKTSEQI_SUMS (PKTSEQI_SQUARE * PKTSEQI_SQUARE)  // that the matmul computes at a time

// Goes through `count` numbers, a register at a time; GET and PUT load and store those of p. At the
// end of the array they leave the lanes past it out.
#define PKTSEQI_EACH(count) for (size_t i = 0, end = count; i < end; i += PKTSEQI_LANES)
#define PKTSEQI_GET(p) PKTSEQI_K(load)((p) + i, end - i)
#define PKTSEQI_PUT(p, v) PKTSEQI_K(store)((p) + i, v, end - i)
#endif

#if PKTSEQI_ISA == 256
// Returns eight lanes, the first n < 8 of them all ones: a window on 8 ones and 8 zeros.
PKTSEQI_INLINE __m256i PKTSEQI_K(mask)(size_t n) {
    static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(window + 8 - n));
}
#endif

// Returns the first n numbers (LANES or more: all), and zeros in the other lanes. Nothing after
// them is read: they may be the last of an array.
PKTSEQI_INLINE PKTSEQI_V PKTSEQI_K(load)(const float *p, size_t n) {
#if PKTSEQI_ISA == 512
    // A lane outside the mask is not read, and cannot fault even if its page does not exist.
    return _mm512_maskz_loadu_ps((__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu), p);
#elif PKTSEQI_ISA == 256
    return n < 8 ? _mm256_maskload_ps(p, PKTSEQI_K(mask)(n)) : PKTSEQI_LOAD(p);
#else
    PKTSEQI_V v = PKTSEQI_SET(0);
    if (n >= 4) return PKTSEQI_LOAD(p);
    if (n > 0) v = vld1q_lane_f32(p, v, 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
#endif
}

// Stores the first n lanes (LANES or more: all). Nothing after them is written, since the numbers
// there may belong to another thread.
PKTSEQI_INLINE void PKTSEQI_K(store)(float *p, PKTSEQI_V v, size_t n) {
#if PKTSEQI_ISA == 512
    _mm512_mask_storeu_ps(p, (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu), v);
#elif PKTSEQI_ISA == 256
    if (n < 8) _mm256_maskstore_ps(p, PKTSEQI_K(mask)(n), v);
    else PKTSEQI_STORE(p, v);
#else
    if (n >= 4) PKTSEQI_STORE(p, v);
    if (n > 0 && n < 4) vst1q_lane_f32(p, v, 0);
    if (n > 1 && n < 4) vst1q_lane_f32(p + 1, v, 1);
    if (n == 3) vst1q_lane_f32(p + 2, v, 2);
#endif
}

// ---- matmul: dot products of rows with rows ----
//
// Both factors are contiguous along the sum: w (rows, cols), x (count, cols). So vectors of w and x
// are multiplied lane by lane, and each sum has 16 lanes until the end of the row, where the lanes
// are added. The alternative, repacking the weights by columns in every iteration, needs no sums
// across lanes, but has another order of sums and so other bits. Measured with AVX-512, data in the
// caches: 88 % of the multiply-add peak at 281 columns (25 inputs and 256 units), 73 % at 64.
//
// A sum of the matmul: 16 lanes in REGISTERS registers.
typedef struct PKTSEQI_K(sum16) {
    PKTSEQI_V r[PKTSEQI_REGISTERS];
} PKTSEQI_K(sum16);

// Adds the lanes of each of SUMS sums, by the tree of >>kernels: lanes l + 8 to l, l + 4 to l, ..
#if PKTSEQI_ISA == 512
// Sixteen sums fold together, 16 vectors to 8, 4, 2 and 1. A fold of two vectors takes the lanes
// that stay in place by a blend and those that move by one shuffle. (Processors blend in most of
// their execution units, but shuffle in one or two.)
#define PKTSEQI_FOLD(stay, a, b, moved) \
    (_mm512_mask_blend_ps((__mmask16)(stay), a, b) + (moved))
// The bits of a blend's mask say which lanes are b's:
//   v0 .. v15   16 lanes each
//   halves      v0 and v8 share a vector, 8 lanes each; v1 and v9; ..      8 vectors
//   quarters    v0 v4 v8 v12 share one, 4 lanes each; ..                   4 vectors, q[0] .. q[3]
//   eighths     8 sums of 2 lanes                                          2 vectors
//   result      16 sums of 1 lane, in the order of v                       1 vector
PKTSEQI_INLINE void PKTSEQI_K(add_lanes)(const PKTSEQI_K(sum16) *v, float *to) {
    const __m512i quarters = _mm512_set_epi32(11, 10, 9, 8, 31, 30, 29, 28, 3, 2, 1, 0, 23, 22, 21,
                                              20);
    __m512 q[4];
    PKTSEQI_UNROLL for (int i = 0; i < 4; ++i) {  // q[i]: 4 lanes each of v[i], v[4+i], v[8+i], ..
        __m512 a = v[i].r[0], b = v[4 + i].r[0], c = v[8 + i].r[0], d = v[12 + i].r[0];
        a = PKTSEQI_FOLD(0xff00, a, c, _mm512_shuffle_f32x4(a, c, 0x4e));
        b = PKTSEQI_FOLD(0xff00, b, d, _mm512_shuffle_f32x4(b, d, 0x4e));
        q[i] = PKTSEQI_FOLD(0xf0f0, a, b, _mm512_permutex2var_ps(b, quarters, a));
    }
    q[0] = PKTSEQI_FOLD(0xcccc, q[0], q[1], _mm512_shuffle_ps(q[0], q[1], 0x4e));
    q[2] = PKTSEQI_FOLD(0xcccc, q[2], q[3], _mm512_shuffle_ps(q[2], q[3], 0x4e));
    _mm512_storeu_ps(to, _mm512_shuffle_ps(q[0], q[2], 0x88) + _mm512_shuffle_ps(q[0], q[2], 0xdd));
}
#undef PKTSEQI_FOLD
#else
PKTSEQI_INLINE void PKTSEQI_K(add_lanes)(const PKTSEQI_K(sum16) *v, float *to) {
    PKTSEQI_UNROLL for (int i = 0; i < PKTSEQI_SUMS; ++i) {
#if PKTSEQI_ISA == 256
        __m256 a = v[i].r[0] + v[i].r[1];
        __m128 b = _mm256_castps256_ps128(a) + _mm256_extractf128_ps(a, 1);
        b = b + _mm_movehl_ps(b, b);
        to[i] = _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
#else
        float32x4_t a = (v[i].r[0] + v[i].r[2]) + (v[i].r[1] + v[i].r[3]);
        float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
        to[i] = vget_lane_f32(vpadd_f32(b, b), 0);
#endif
    }
}
#endif

// Computes sum[s*R + r] += w[r] . x[s] over the 16 columns from `col` on, of which the first `part`
// exist. Each register of x is multiplied with all R rows before the next one is loaded.
PKTSEQI_INLINE void PKTSEQI_K(matmul_16)(PKTSEQI_K(sum16) *sum, const float *const *w, const int R,
                                         const float *const *x, const int S, size_t col,
                                         size_t part) {
    PKTSEQI_UNROLL for (int k = 0; k < PKTSEQI_REGISTERS; ++k) {
        size_t first = (size_t)(k * PKTSEQI_LANES), at = col + first;
        size_t left = part > first ? part - first : 0;
        PKTSEQI_V xs[PKTSEQI_SQUARE];
        PKTSEQI_UNROLL for (int s = 0; s < S; ++s)
            xs[s] = part == 16 ? PKTSEQI_LOAD(x[s] + at) : PKTSEQI_K(load)(x[s] + at, left);
        PKTSEQI_UNROLL for (int r = 0; r < R; ++r) {
            PKTSEQI_V wr = part == 16 ? PKTSEQI_LOAD(w[r] + at) : PKTSEQI_K(load)(w[r] + at, left);
            PKTSEQI_UNROLL for (int s = 0; s < S; ++s)
                sum[s * R + r].r[k] = PKTSEQI_FMA(wr, xs[s], sum[s * R + r].r[k]);
        }
    }
}

// Computes the same for sparse rows x, S of them with `entries` entries each: adds a column of the
// weights times the 16 lanes of an entry, of which all but one are zeros.
PKTSEQI_INLINE void PKTSEQI_K(matmul_entries)(PKTSEQI_K(sum16) *sum, const float *const *w,
                                              const int R, const pktseqi_nonzero *entry,
                                              size_t entries, const int S) {
    for (size_t e = 0; e < entries; ++e)
        PKTSEQI_UNROLL for (int s = 0; s < S; ++s) {
            const pktseqi_nonzero *at = &entry[(size_t)s * entries + e];
            PKTSEQI_UNROLL for (int k = 0; k < PKTSEQI_REGISTERS; ++k) {
                PKTSEQI_V xs = PKTSEQI_LOAD(at->x + k * PKTSEQI_LANES);
                PKTSEQI_UNROLL for (int r = 0; r < R; ++r)
                    sum[s * R + r].r[k] = PKTSEQI_FMA(PKTSEQI_SET(w[r][at->col]), xs,
                                                      sum[s * R + r].r[k]);
            }
        }
}

// Multiplies R rows from `row` on with S sequences from b on, R * S = SUMS. The sums stay in
// registers over all products. All S sequences exist; for rows past the last of `rows` the first
// one is repeated, so that nothing after the weights is read, and its result is not stored. whole:
// all R rows exist, known at compile time.
PKTSEQI_INLINE void PKTSEQI_K(matmul_block)(const pktseqi_product *product, int products,
                                            size_t row, size_t rows, const int R, size_t b,
                                            const int S, const int whole, float *out,
                                            size_t out_stride) {
    const float *w[PKTSEQI_SUMS], *x[PKTSEQI_SQUARE];
    float result[PKTSEQI_SUMS];
    PKTSEQI_K(sum16) sum[PKTSEQI_SUMS];
    // fit: how many of the R rows exist
    size_t fit = whole || rows - row >= (size_t)R ? (size_t)R : rows - row;
    PKTSEQI_UNROLL for (int i = 0; i < PKTSEQI_SUMS; ++i)
        PKTSEQI_UNROLL for (int k = 0; k < PKTSEQI_REGISTERS; ++k) sum[i].r[k] = PKTSEQI_SET(0);
    for (int p = 0; p < products; ++p) {
        size_t n = product[p].cols, i = 0, entries = product[p].entries;
        w[0] = product[p].w + row * n;
        PKTSEQI_UNROLL for (int r = 1; r < R; ++r)
            w[r] = whole || (size_t)r < fit ? w[r - 1] + n : w[0];
        if (product[p].entry) {
            PKTSEQI_K(matmul_entries)(sum, w, R, product[p].entry + b * entries, entries, S);
            continue;
        }
        x[0] = product[p].x + b * product[p].x_stride;
        PKTSEQI_UNROLL for (int s = 1; s < S; ++s) x[s] = x[s - 1] + product[p].x_stride;
        for (; i + 16 <= n; i += 16) PKTSEQI_K(matmul_16)(sum, w, R, x, S, i, 16);
        if (i < n) PKTSEQI_K(matmul_16)(sum, w, R, x, S, i, n - i);
    }
    PKTSEQI_K(add_lanes)(sum, result);
    out += b * out_stride + row;
    PKTSEQI_UNROLL for (int s = 0; s < S; ++s, out += out_stride) {
        if (fit == (size_t)R) memcpy(out, result + s * R, (size_t)R * sizeof *out);
        else memcpy(out, result + s * R, fit * sizeof *out);
    }
}

// Computes out[b][i] = w[i] . x[b], for 16 to 23 sequences at a time: with 256 units their states
// take 16 to 23 KB and stay in the first-level cache (32 KB) while the weights are read once. A
// block is SQUARE rows by SQUARE sequences; rows and sequences that fill no block are computed
// sequence by sequence, SUMS rows at a time.
static PKTSEQI_TARGET void PKTSEQI_K(matmul)(const pktseqi_product *product, int products,
                                             size_t rows, size_t count, float *out,
                                             size_t out_stride) {
    enum { B = PKTSEQI_SQUARE, MANY = PKTSEQI_SUMS };
    for (size_t b = 0, past; b < count; b = past) {
        size_t end, row = 0;
        past = count - b < 24 ? count : b + 16;
        end = past - (past - b) % B;
        for (; row + B <= rows && end > b; row += B)
            for (size_t s = b; s < end; s += B)
                PKTSEQI_K(matmul_block)(product, products, row, rows, B, s, B, 1, out, out_stride);
        for (; b < past; ++b)
            for (size_t first = b < end ? row : 0; first < rows; first += MANY)
                PKTSEQI_K(matmul_block)(product, products, first, rows, MANY, b, 1, 0, out,
                                        out_stride);
    }
}

// ---- rank_update: a sum of outer products ----
//
// Here lanes are columns of the result, and no sum crosses them: out[s] += scale * (sum over t of
// a[s][t] b[t]). One number of a is copied to all lanes and multiplied with registers of b's row.
// a[s * as + t * at] may be contiguous along the slots, for gradients (as = 1: the deltas of a
// packet's units), or along the terms, for W' d (at = 1).
//
// Computes S slots times C registers of columns from `col` on, of which `cols` numbers exist
// (whole: all). Missing slots repeat the first one and are not stored. The sums over the terms stay
// in registers; out is read and written once per 64 terms.
PKTSEQI_INLINE void PKTSEQI_K(rank_block)(const float *a, size_t as, size_t at,
                                          const float *const *b, size_t col, size_t terms,
                                          size_t slots, const int S, size_t cols, const int C,
                                          const int whole, float scale, int overwrite, float *out,
                                          size_t out_stride) {
    // part: how many numbers of a register exist; slot: where a slot begins in a
    PKTSEQI_V sum[16], x[4];
    size_t part[4], slot[4];
    PKTSEQI_UNROLL for (int s = 0; s < S; ++s) slot[s] = (size_t)s < slots ? (size_t)s * as : 0;
    PKTSEQI_UNROLL for (int c = 0; c < C; ++c) {
        size_t first = (size_t)(PKTSEQI_LANES * c);
        part[c] = whole ? PKTSEQI_LANES : cols > first ? cols - first : 0;
    }
    PKTSEQI_UNROLL for (int i = 0; i < S * C; ++i) sum[i] = PKTSEQI_SET(0);
    for (size_t t = 0; t < terms; ++t) {
        const float *from = b[t] + col;
        PKTSEQI_UNROLL for (int c = 0; c < C; ++c)  // an empty register loads nothing
            x[c] = PKTSEQI_K(load)(part[c] ? from + PKTSEQI_LANES * c : from, part[c]);
        PKTSEQI_UNROLL for (int s = 0; s < S; ++s) {
            PKTSEQI_V factor = PKTSEQI_SET(a[slot[s] + t * at]);
            PKTSEQI_UNROLL for (int c = 0; c < C; ++c)
                sum[s * C + c] = PKTSEQI_FMA(factor, x[c], sum[s * C + c]);
        }
    }
    PKTSEQI_UNROLL for (int s = 0; s < S; ++s, out += out_stride) {
        if ((size_t)s >= slots) continue;
        PKTSEQI_UNROLL for (int c = 0; c < C; ++c) {
            float *to = out + col + PKTSEQI_LANES * c;
            PKTSEQI_V old = PKTSEQI_SET(0);
            if (part[c] == 0) continue;
            if (!overwrite) old = PKTSEQI_K(load)(to, part[c]);
            PKTSEQI_K(store)(to, PKTSEQI_FMA(PKTSEQI_SET(scale), sum[s * C + c], old), part[c]);
        }
    }
}

// Computes the rank-k update of >>scalar in blocks: 4 slots by a stripe of WIDE registers, and TAIL
// registers at the end of a row. A single slot (backward of one sequence) takes 4 registers, which
// hide the latency of a multiply-add; its weights come from the second-level cache, whose speed is
// the limit. While all rows b fit into the first-level cache (8192 numbers are 32 KB), 4 slots are
// computed from end to end of their rows; else stripe by stripe.
static PKTSEQI_TARGET void PKTSEQI_K(rank_update)(const float *a, size_t as, size_t at,
                                                  const float *const *b, size_t terms, size_t slots,
                                                  size_t cols, float scale, int overwrite,
                                                  float *out, size_t out_stride) {
    enum { STRIPE = PKTSEQI_WIDE * PKTSEQI_LANES, REST = PKTSEQI_TAIL * PKTSEQI_LANES };
#define PKTSEQI_RANK(S, C, whole) \
    PKTSEQI_K(rank_block)(a + s * as, as, at, b, c, terms, slots - s, S, cols - c, C, whole, \
                          scale, overwrite, out + s * out_stride, out_stride)
    size_t past = cols - cols % STRIPE, c = 0, s = 0;
    size_t width = terms * cols <= 8192 ? past : (size_t)STRIPE;
    if (slots == 1) {
        for (; c + 4 * PKTSEQI_LANES <= cols; c += 4 * PKTSEQI_LANES) PKTSEQI_RANK(1, 4, 1);
        for (; c < cols; c += REST) PKTSEQI_RANK(1, PKTSEQI_TAIL, 0);
        return;
    }
    for (size_t start = 0; start < past; start += width)
        for (s = 0; s < slots; s += 4)
            for (c = start; c < start + width; c += STRIPE) PKTSEQI_RANK(4, PKTSEQI_WIDE, 1);
    for (c = past; c < cols; c += REST)
        for (s = 0; s < slots; s += 4) PKTSEQI_RANK(4, PKTSEQI_TAIL, 0);
#undef PKTSEQI_RANK
}

// Computes the gradient of a bias, one register of sums at a time: the rows are in the cache, where
// rank_update has just read them. (0.5 % of the time of training.)
static PKTSEQI_TARGET void PKTSEQI_K(column_sums)(const float *d, size_t d_stride, size_t terms,
                                                  size_t n, float scale, int overwrite, float *y) {
    PKTSEQI_EACH(n) {
        PKTSEQI_V sum = PKTSEQI_SET(0), old = sum;
        for (size_t t = 0; t < terms; ++t) sum = sum + PKTSEQI_GET(d + t * d_stride);
        if (!overwrite) old = PKTSEQI_GET(y);
        PKTSEQI_PUT(y, PKTSEQI_FMA(PKTSEQI_SET(scale), sum, old));
    }
}

// ---- the gates, and what they need ----

// Returns p, and 2^n in scale, of e^x = 2^n (1 + p). x is clamped to -87 .. 88 first, where a float
// neither underflows nor overflows; NaN stays NaN.
PKTSEQI_INLINE PKTSEQI_V PKTSEQI_K(exp_parts)(PKTSEQI_V x, PKTSEQI_V *scale) {
    PKTSEQI_V t, n, r, p;
    x = PKTSEQI_MIN(PKTSEQI_SET(88), PKTSEQI_MAX(PKTSEQI_SET(-87), x));
    t = PKTSEQI_FMA(x, PKTSEQI_SET(PKTSEQI_LOG2_E), PKTSEQI_SET(PKTSEQI_ROUNDER));
    n = t - PKTSEQI_ROUNDER;
    r = PKTSEQI_FMA(n, PKTSEQI_SET(-PKTSEQI_LN2_HIGH), x);
    r = PKTSEQI_FMA(n, PKTSEQI_SET(-PKTSEQI_LN2_LOW), r);
    p = PKTSEQI_FMA(PKTSEQI_SET(1.0f / 5040), r, PKTSEQI_SET(1.0f / 720));
    p = PKTSEQI_FMA(p, r, PKTSEQI_SET(1.0f / 120));
    p = PKTSEQI_FMA(p, r, PKTSEQI_SET(1.0f / 24));
    p = PKTSEQI_FMA(p, r, PKTSEQI_SET(1.0f / 6));
    p = PKTSEQI_FMA(p, r, PKTSEQI_SET(0.5f));
    *scale = PKTSEQI_POWER(t);
    return PKTSEQI_FMA(p, r * r, r);
}

// Returns e^x = scale * p + scale, fused, so that no bit of a small p is lost.
PKTSEQI_INLINE PKTSEQI_V PKTSEQI_K(exp_of)(PKTSEQI_V x) {
    PKTSEQI_V scale, p = PKTSEQI_K(exp_parts)(x, &scale);
    return PKTSEQI_FMA(p, scale, scale);
}

// Returns sigmoid(x) = 1 / (1 + e^-x). It divides: an approximate reciprocal with a Newton step
// would have other bits on each machine.
PKTSEQI_INLINE PKTSEQI_V PKTSEQI_K(sigmoid_of)(PKTSEQI_V x) {
    return 1.0f / (1.0f + PKTSEQI_K(exp_of)(-x));
}

// Returns tanh(x) = (e^2x - 1) / (e^2x + 1).
PKTSEQI_INLINE PKTSEQI_V PKTSEQI_K(tanh_of)(PKTSEQI_V x) {
    PKTSEQI_V scale, p = PKTSEQI_K(exp_parts)(x + x, &scale);
    p = PKTSEQI_FMA(p, scale, scale - 1.0f);  // e^2x - 1, exact enough also near 0
    return p / (p + 2.0f);
}

// Computes r, z, n, q and the next state, as in >>scalar, of LANES units at a time: the loop of
// plain_gru. (Gates are 3 % of the time of training with 256 units, deltas as much, so whole and
// partial registers share one code.)
static PKTSEQI_TARGET void PKTSEQI_K(gates)(const float *b_ih, const float *b_hh, size_t H,
                                            size_t count, float *gate, size_t gate_stride,
                                            const float *h, float *h2, size_t h_stride) {
    for (size_t b = 0; b < count; ++b, gate += gate_stride, h += h_stride, h2 += h_stride) {
        float *gr = gate, *gz = gr + H, *gn = gz + H, *gq = gn + H;
        PKTSEQI_EACH(H) {
            PKTSEQI_V bias_r = PKTSEQI_GET(b_ih) + PKTSEQI_GET(b_hh);
            PKTSEQI_V bias_z = PKTSEQI_GET(b_ih + H) + PKTSEQI_GET(b_hh + H);
            PKTSEQI_V r = PKTSEQI_K(sigmoid_of)(PKTSEQI_GET(gr) + bias_r);
            PKTSEQI_V z = PKTSEQI_K(sigmoid_of)(PKTSEQI_GET(gz) + bias_z);
            PKTSEQI_V q = PKTSEQI_GET(gq) + PKTSEQI_GET(b_hh + 2 * H);
            PKTSEQI_V n = PKTSEQI_GET(gn) + PKTSEQI_GET(b_ih + 2 * H);
            n = PKTSEQI_K(tanh_of)(PKTSEQI_FMA(r, q, n));
            PKTSEQI_PUT(gr, r);
            PKTSEQI_PUT(gz, z);
            PKTSEQI_PUT(gn, n);
            PKTSEQI_PUT(gq, q);
            PKTSEQI_PUT(h2, PKTSEQI_FMA(z, PKTSEQI_GET(h) - n, n));
        }
    }
}

// Computes the derivatives before the activations, as in >>scalar: the loop of plain_gru_back.
static PKTSEQI_TARGET void PKTSEQI_K(deltas)(size_t H, size_t count, const float *h, float *dh,
                                             size_t h_stride, float *gate, size_t gate_stride) {
    for (size_t b = 0; b < count; ++b, gate += gate_stride, h += h_stride, dh += h_stride) {
        float *gr = gate, *gz = gr + H, *gn = gz + H, *gq = gn + H;
        PKTSEQI_EACH(H) {
            PKTSEQI_V r = PKTSEQI_GET(gr), z = PKTSEQI_GET(gz), n = PKTSEQI_GET(gn);
            PKTSEQI_V q = PKTSEQI_GET(gq), dh2 = PKTSEQI_GET(dh);
            PKTSEQI_V dz = dh2 * (PKTSEQI_GET(h) - n), dn = dh2 * (1.0f - z);
            PKTSEQI_V an = dn * PKTSEQI_FMA(-n, n, PKTSEQI_SET(1));
            PKTSEQI_PUT(gr, an * q * PKTSEQI_FMA(-r, r, r));
            PKTSEQI_PUT(gz, dz * PKTSEQI_FMA(-z, z, z));
            PKTSEQI_PUT(gn, an);
            PKTSEQI_PUT(gq, an * r);
            PKTSEQI_PUT(dh, dh2 * z);
        }
    }
}

// ---- loops over arrays ----

// Each does the same as its namesake in >>scalar. Memory limits their speed, not arithmetic.
static PKTSEQI_TARGET void PKTSEQI_K(axpy)(float a, const float *x, float *y, size_t n) {
    PKTSEQI_EACH(n) PKTSEQI_PUT(y, PKTSEQI_FMA(PKTSEQI_SET(a), PKTSEQI_GET(x), PKTSEQI_GET(y)));
}

// Multiplies v by a.
static PKTSEQI_TARGET void PKTSEQI_K(scale)(float a, float *v, size_t n) {
    PKTSEQI_EACH(n) PKTSEQI_PUT(v, a * PKTSEQI_GET(v));
}

// Takes a step of SGD with momentum.
static PKTSEQI_TARGET void PKTSEQI_K(momentum)(float m, float s, const float *g, float a, float *v,
                                               float *w, size_t n) {
    PKTSEQI_EACH(n) {
        PKTSEQI_V velocity = PKTSEQI_FMA(PKTSEQI_SET(m), PKTSEQI_GET(v), s * PKTSEQI_GET(g));
        PKTSEQI_PUT(v, velocity);
        PKTSEQI_PUT(w, PKTSEQI_FMA(PKTSEQI_SET(a), velocity, PKTSEQI_GET(w)));
    }
}

// Computes v = sigmoid(v).
static PKTSEQI_TARGET void PKTSEQI_K(sigmoid)(float *v, size_t n) {
    PKTSEQI_EACH(n) PKTSEQI_PUT(v, PKTSEQI_K(sigmoid_of)(PKTSEQI_GET(v)));
}

// Computes v = e^(v - max) and returns the sum. Its 16 lanes stay in registers over whole groups of
// 16. The last numbers are loaded again after they were stored, so that the lanes past the end are
// zeros.
static PKTSEQI_TARGET float PKTSEQI_K(exp)(float *v, size_t n, float max) {
    float lane[16];
    PKTSEQI_K(sum16) sum;
    size_t past = n - n % 16;
    PKTSEQI_UNROLL for (int k = 0; k < PKTSEQI_REGISTERS; ++k) sum.r[k] = PKTSEQI_SET(0);
    for (float *p = v; p < v + past; p += 16)
        PKTSEQI_UNROLL for (int k = 0; k < PKTSEQI_REGISTERS; ++k) {
            PKTSEQI_V power = PKTSEQI_K(exp_of)(PKTSEQI_LOAD(p + k * PKTSEQI_LANES) - max);
            PKTSEQI_STORE(p + k * PKTSEQI_LANES, power);
            sum.r[k] = sum.r[k] + power;
        }
    PKTSEQI_UNROLL for (int k = 0; k < PKTSEQI_REGISTERS; ++k)
        PKTSEQI_STORE(lane + k * PKTSEQI_LANES, sum.r[k]);
    v += past;
    n -= past;
    PKTSEQI_EACH(n) {
        PKTSEQI_PUT(v, PKTSEQI_K(exp_of)(PKTSEQI_GET(v) - max));
        PKTSEQI_STORE(lane + i, PKTSEQI_LOAD(lane + i) + PKTSEQI_GET(v));
    }
    return pktseqi_sum_lanes(lane);
}

#undef PKTSEQI_V
#undef PKTSEQI_LANES
#undef PKTSEQI_SQUARE
#undef PKTSEQI_WIDE
#undef PKTSEQI_TAIL
#undef PKTSEQI_MM
#undef PKTSEQI_BITS
#undef PKTSEQI_REAL_OF
#endif  // PKTSEQI_SCALAR

// The table of one instruction set.
static const pktseqi_kernels PKTSEQI_K(kernels) = {
    PKTSEQI_BUILD_INFO,  PKTSEQI_K(matmul), PKTSEQI_K(rank_update), PKTSEQI_K(column_sums),
    PKTSEQI_K(gates),    PKTSEQI_K(deltas), PKTSEQI_K(axpy),        PKTSEQI_K(scale),
    PKTSEQI_K(momentum), PKTSEQI_K(exp),    PKTSEQI_K(sigmoid),     PKTSEQI_K(max),
    PKTSEQI_K(squares)};

#undef PKTSEQI_SCALAR
#undef PKTSEQI_ISA
#undef PKTSEQI_ISA_NAME
#undef PKTSEQI_TARGET
#undef PKTSEQI_K
#endif  // PKTSEQI_K

#if !defined(PKTSEQI_SECOND_PART) && !defined(PKTSEQI_SELF)
#define PKTSEQI_SECOND_PART
// ---- >>choose: the kernels for this machine ---------------------------------------------------

PKTSEQI_COLD

// Returns the best kernels that the processor can run. The test takes a few loads, so it is
// repeated where the kernels are needed, and there is no global variable.
static const pktseqi_kernels *pktseqi_choose(void) {
#if defined(PKTSEQI_X86) && PKTSEQI_IS_FLOAT
    if (PKTSEQI_CPU_HAS("avx512f")) return &pktseqi_kernels_avx512;
    if (PKTSEQI_CPU_HAS("avx2") && PKTSEQI_CPU_HAS("fma")) return &pktseqi_kernels_avx2;
#elif defined(PKTSEQI_X86)
    if (PKTSEQI_CPU_HAS("avx2") && PKTSEQI_CPU_HAS("fma")) return &pktseqi_kernels_fma;
#elif defined(PKTSEQI_NEON)
    return &pktseqi_kernels_neon;
#endif
    return &pktseqi_kernels_scalar;
}

PKTSEQ_DEF const char *pktseq_build_info(void) { return pktseqi_choose()->build_info; }

// ---- >>model: parameters in one block, and the pairs that fit them ----------------------------

// A model is one block of numbers. The list PKTSEQ_TENSORS defines its layout: shapes, sizes, named
// pointers, gradients and checkpoints are all generated from it, so a new tensor is one new line.
// Besides: first weights, the growth of a trained model by new features, and the check that a pair
// fits a model.

// Lists name, shape and rank of every tensor of a config, in the order of the block, which is also
// the checkpoint's.
//   tensor (PKTSEQ_TENSOR_COUNT) out; data points into block, or is NULL if block is
// The sizes must have been checked by pktseqi_parameters: products here are not checked.
static void pktseqi_tensor_list(const pktseq_config *config, pktseq_real *block,
                                pktseq_tensor *tensor) {
    size_t D = config->in, O = config->out, H = config->hidden;
#define PKTSEQI_X(field_, name_, rows_, cols_) \
    tensor->name = name_; \
    tensor->rows = rows_; \
    tensor->rank = (cols_) ? 2 : 1; \
    tensor->cols = (cols_) ? (cols_) : 1; \
    tensor->data = block; \
    if (block) block += tensor->rows * tensor->cols; \
    ++tensor;
    PKTSEQ_TENSORS(PKTSEQI_X)
#undef PKTSEQI_X
}

// Returns the number of parameters of a config, or 0 if a size is 0 or the sum does not fit size_t.
static size_t pktseqi_parameters(const pktseq_config *config) {
    pktseq_tensor tensor[PKTSEQ_TENSOR_COUNT];
    size_t n = 0, widest = pktseqi_plus(pktseqi_plus(config->in, config->out), config->hidden);
    if (!config->in || !config->out || !config->hidden) return 0;
    // 3H(D + H) + 3H(O + H) + OH + 12H + O is at most 20(D + O + H)^2. If that fits, so does every
    // product below.
    if (pktseqi_times(pktseqi_times(widest, widest), 20) == (size_t)-1) return 0;
    pktseqi_tensor_list(config, NULL, tensor);
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i) n += tensor[i].rows * tensor[i].cols;
    return n;
}

// Points every named tensor into a block of pktseqi_parameters numbers. Parameters and gradients
// have the same layout, so one loop can walk both blocks.
static void pktseqi_tensors_place(const pktseq_config *config, pktseq_real *block,
                                  pktseq_tensors *tensors) {
    size_t D = config->in, O = config->out, H = config->hidden;
#define PKTSEQI_X(field_, name_, rows_, cols_) \
    tensors->field_ = block; \
    block += (rows_) * ((cols_) ? (cols_) : 1);
    PKTSEQ_TENSORS(PKTSEQI_X)
#undef PKTSEQI_X
}

PKTSEQ_DEF pktseq_config pktseq_config_default(const pktseq_dataset *dataset) {
    pktseq_config config;
    memset(&config, 0, sizeof config);
    // The reference's size; the recommended recipe uses 64.
    config.hidden = 256;
    if (dataset) {
        config.in = dataset->in;
        config.out = dataset->out;
        config.inputs = dataset->options.inputs;
        config.start = dataset->options.start;
        config.group = dataset->packing.group;
        config.groups = dataset->packing.groups;
    }
    return config;
}

// Copies the groups into memory of the model; without any, each output becomes a group of one
// number. Groups must cover all outputs in order, since losses and scores walk over groups alone.
static pktseq_status pktseqi_model_groups(pktseq_model *model, pktseq_error *err) {
    pktseq_config *config = &model->config;
    size_t groups = config->groups ? config->groups : config->out, next = 0;
    if (config->groups && !config->group) return pktseqi_bad_argument(err, "group is NULL");
    if (groups > config->out) return pktseqi_bad_argument(err, "more groups than outputs");
    model->owned_group = (pktseq_group *)pktseqi_alloc_zeroed(&model->allocator, groups,
                                                              sizeof *model->owned_group);
    if (!model->owned_group) return pktseqi_no_memory(err);
    // next: the first output that no group has covered yet. A kind may be any number, since it
    // comes from the caller, and an enum may be signed.
    for (size_t g = 0; g < groups; ++g) {
        pktseq_group *group = &model->owned_group[g];
        group->first = g;
        group->count = 1;
        if (config->groups) *group = config->group[g];
        if (group->first != next || group->count == 0 || group->count > config->out - next ||
            (int)group->kind < 0 || group->kind > PKTSEQ_GROUP_CLASS ||
            (group->kind != PKTSEQ_GROUP_CLASS && group->count != 1))
            return pktseqi_bad_argument(err, "groups must follow each other, of one output each "
                                             "unless they are classes");
        next += group->count;
    }
    if (next != config->out) return pktseqi_bad_argument(err, "groups do not cover all outputs");
    config->group = model->owned_group;
    config->groups = groups;
    return PKTSEQ_OK;
}

// Checks the config and allocates a model without setting its parameters. On failure the model is
// empty.
static pktseq_status pktseqi_model_alloc(pktseq_model *model, const pktseq_config *config,
                                         const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_status status;
    memset(model, 0, sizeof *model);
    if (!config) return pktseqi_bad_argument(err, "config is NULL");
    if (!config->in || !config->out || !config->hidden)
        return pktseqi_bad_argument(err, "in, out and hidden must be at least 1");
    if (config->start != PKTSEQ_START_TARGET && config->start != PKTSEQ_START_INPUT)
        return pktseqi_bad_argument(err, "the config names an unknown start");
    // Then N + T cannot wrap, where T is the length of a sequence in memory.
    if (config->inputs > UINT32_MAX) return pktseqi_bad_argument(err, "inputs is beyond 2^32");
    if (config->loss != PKTSEQ_LOSS_MSE && config->loss != PKTSEQ_LOSS_NLL)
        return pktseqi_bad_argument(err, "the config names an unknown loss");
    model->allocator = pktseqi_allocator(allocator);
    model->config = *config;
    model->parameters = pktseqi_parameters(config);
    // 63 bytes more, to align the block to a cache line.
    if (model->parameters)
        model->memory = pktseqi_alloc_large(
            &model->allocator,
            pktseqi_plus(pktseqi_times(model->parameters, sizeof *model->block), 63), 1);
    status = model->memory ? pktseqi_model_groups(model, err) : pktseqi_no_memory(err);
    if (status) {
        pktseq_model_free(model);
        return status;
    }
    model->block = (pktseq_real *)pktseqi_align(model->memory);
    pktseqi_tensors_place(&model->config, model->block, &model->tensor);
    return pktseqi_ok(err);
}

PKTSEQ_DEF pktseq_status pktseq_model_init(pktseq_model *model, const pktseq_config *config,
                                           uint64_t seed, const pktseq_allocator *allocator,
                                           pktseq_error *err) {
    uint64_t state = pktseqi_random_at(seed, PKTSEQI_FOR_WEIGHTS, 0);
    double bound;
    pktseq_status status;
    if (!model) return pktseqi_bad_argument(err, "model is NULL");
    status = pktseqi_model_alloc(model, config, allocator, err);
    if (status) return status;
    // U(-1/sqrt(H), 1/sqrt(H)) for every tensor, like torch.nn.GRU, and torch.nn.Linear with H
    // inputs. Numbers are drawn in double and rounded once, so float and double models of one seed
    // start from the same weights.
    bound = 1 / sqrt((double)model->config.hidden);
    for (size_t i = 0; i < model->parameters; ++i)
        model->block[i] = (pktseq_real)((2 * pktseqi_random_unit(&state) - 1) * bound);
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_model_tensor(const pktseq_model *model, size_t index,
                                             pktseq_tensor *tensor) {
    pktseq_tensor list[PKTSEQ_TENSOR_COUNT];
    if (!model || !model->block || !tensor || index >= PKTSEQ_TENSOR_COUNT)
        return PKTSEQ_ERROR_ARGUMENT;
    pktseqi_tensor_list(&model->config, model->block, list);
    *tensor = list[index];
    return PKTSEQ_OK;
}

// Copies `count` columns of a matrix old (rows, old_cols), from old_at on, to w (rows, cols) from
// `at` on. A feature is a column of the weights that it is multiplied with.
static void pktseqi_columns_copy(pktseq_real *w, size_t cols, size_t at, const pktseq_real *old,
                                 size_t old_cols, size_t old_at, size_t count, size_t rows) {
    for (size_t r = 0; r < rows; ++r)
        memcpy(w + r * cols + at, old + r * old_cols + old_at, count * sizeof *w);
}

// Copies the decoder's weights of a group of outputs, and sets those of its new classes: zeros,
// with the bias of the rarest old class. Random weights, and means of the old ones, were tried too;
// they lose more of what was learned.
static void pktseqi_model_grow_group(pktseq_model *grown, const pktseq_model *model,
                                     const pktseq_group *group, const pktseq_group *old) {
    const pktseq_tensors *from = &model->tensor;
    pktseq_tensors *to = &grown->tensor;
    size_t H = model->config.hidden, rarest = old->first;
    pktseqi_columns_copy(to->dec_w_ih, grown->config.out, group->first, from->dec_w_ih,
                         model->config.out, old->first, old->count, 3 * H);
    memcpy(to->out_w + group->first * H, from->out_w + old->first * H,
           old->count * H * sizeof *to->out_w);
    memcpy(to->out_b + group->first, from->out_b + old->first, old->count * sizeof *to->out_b);
    // The class with the lowest bias is the rarest by the model's prior: softmax(0 + bias).
    for (size_t o = old->first; o < old->first + old->count; ++o)
        if (from->out_b[o] < from->out_b[rarest]) rarest = o;
    for (size_t o = group->first + old->count; o < group->first + group->count; ++o)
        to->out_b[o] = from->out_b[rarest];
}

// Returns 1 if codec `to` extends `from`: it has the same fields, and their categories begin with
// those of `from` in the same order.
static int pktseqi_codec_extends(const pktseq_codec *to, const pktseq_codec *from) {
    if (to->field_count != from->field_count) return 0;
    for (size_t f = 0; f < to->field_count; ++f) {
        pktseq_field field = to->field[f];
        if (field.category_count < from->field[f].category_count) return 0;
        // The first categories, as many as `from` has, must be equal; the others are new.
        field.category_count = from->field[f].category_count;
        if (pktseqi_field_differs(&field, &from->field[f])) return 0;
    }
    return 1;
}

PKTSEQ_DEF pktseq_status pktseq_model_grow(pktseq_model *grown, const pktseq_config *config,
                                           const pktseq_model *model, const pktseq_codec *from,
                                           const pktseq_codec *to,
                                           const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_tensor a[PKTSEQ_TENSOR_COUNT], b[PKTSEQ_TENSOR_COUNT];
    pktseq_config own;
    pktseq_status status;
    if (!grown) return pktseqi_bad_argument(err, "grown is NULL");
    memset(grown, 0, sizeof *grown);
    if (!config || !model || !model->block || !from != !to)
        return pktseqi_bad_argument(err, "config is NULL, model is NULL or empty, or one of the "
                                         "codecs is NULL");
    if (from && !pktseqi_codec_extends(to, from))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "one codec does not extend the other");
    // Without codecs the shapes must be equal; with them each codec must fit its model.
    if (model->config.in != (from ? from->features : config->in) ||
        model->config.out != (from ? from->targets : config->out) ||
        (to && (config->in != to->features || config->out != to->targets)))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the model has %z features in and %z "
                             "out; these do not fit", model->config.in, model->config.out);
    // Units cannot be added: the weights of every unit depend on all others.
    own = *config;
    own.hidden = model->config.hidden;
    status = pktseqi_model_alloc(grown, &own, allocator, err);
    if (status) return status;
    // Tensors of equal shape are copied. The others, which depend on the features, start from zero
    // and are filled column by column.
    memset(grown->block, 0, grown->parameters * sizeof *grown->block);
    pktseqi_tensor_list(&model->config, model->block, a);
    pktseqi_tensor_list(&own, grown->block, b);
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i)
        if (a[i].rows == b[i].rows && a[i].cols == b[i].cols)
            memcpy(b[i].data, a[i].data, a[i].rows * a[i].cols * sizeof *a[i].data);
    // Context is not an input of the network: the detector models it.
    for (size_t f = 0; from && f < from->field_count; ++f)
        if (from->field[f].role != PKTSEQ_ROLE_CONTEXT)
            pktseqi_columns_copy(grown->tensor.enc_w_ih, own.in, to->first[f],
                                 model->tensor.enc_w_ih, model->config.in, from->first[f],
                                 from->first[f + 1] - from->first[f], 3 * own.hidden);
    for (size_t g = 0; from && g < from->groups; ++g)
        pktseqi_model_grow_group(grown, model, &to->group[g], &from->group[g]);
    return pktseqi_ok(err);
}

PKTSEQ_DEF void pktseq_model_free(pktseq_model *model) {
    if (!model) return;
    pktseqi_free(&model->allocator, model->memory);
    pktseqi_free(&model->allocator, model->owned_group);
    memset(model, 0, sizeof *model);
}

// Returns 1 if the pair has a target. A pair without one can be forecast, but has no loss.
static int pktseqi_has_target(const pktseq_pair *pair) {
    return pair->packing ? pair->packed_target != NULL : pair->target != NULL;
}

// Returns 1 if packed rows fit a model of this config: as many features, and the same groups. Then
// every column that a row can name is an input of the network, and every index below is in range.
static int pktseqi_packing_fits(const pktseq_packing *p, const pktseq_config *config) {
    if (p->features != config->in || p->groups != config->groups || p->groups == 0) return 0;
    for (size_t g = 0; g < p->groups; ++g)  // not memcmp: there is padding between the fields
        if (p->group[g].kind != config->group[g].kind ||
            p->group[g].first != config->group[g].first ||
            p->group[g].count != config->group[g].count)
            return 0;
    return 1;
}

// Checks that a pair fits a model of this config. Fails with ARGUMENT where memory is missing, with
// MISMATCH where the pair is one for another model.
//   known   1: the target is needed, too
static pktseq_status pktseqi_pair_check(const pktseq_config *config, const pktseq_pair *pair,
                                        int known) {
    const pktseq_packing *p = pair->packing;
    if (pair->targets == 0 || (pair->inputs && !(p ? pair->packed_input : pair->input)) ||
        (known && !pktseqi_has_target(pair)))
        return PKTSEQ_ERROR_ARGUMENT;
    return pair->inputs != config->inputs || (p && !pktseqi_packing_fits(p, config))
               ? PKTSEQ_ERROR_MISMATCH : PKTSEQ_OK;
}

// Returns packet s of a checked pair, packed if the pair is: an input packet (s < N), the first
// token (s = N; NULL stands for zeros), or the target packet of step s - 1, which must be known.
static const pktseq_real *pktseqi_pair_row(const pktseq_config *config, const pktseq_pair *pair,
                                           size_t s) {
    const pktseq_packing *p = pair->packing;
    size_t N = config->inputs, n = p ? p->fields : s < N ? config->in : config->out;
    if (s < N) return (p ? pair->packed_input : pair->input) + s * n;
    if (s == N) return p ? pair->packed_first : pair->first;
    return (p ? pair->packed_target : pair->target) + (s - N - 1) * n;
}

// Writes the same packet dense, unpacked if need be.
//   to   (D) if s < N, else (O)
static void pktseqi_pair_read(const pktseq_config *config, const pktseq_pair *pair, size_t s,
                              pktseq_real *to) {
    const pktseq_real *row = pktseqi_pair_row(config, pair, s);
    size_t N = config->inputs, n = s < N ? config->in : config->out;
    if (!row) memset(to, 0, n * sizeof *to);
    else if (!pair->packing) memcpy(to, row, n * sizeof *to);
    else if (s < N) pktseqi_unpack_inputs(pair->packing, row, to);
    else pktseqi_unpack_targets(pair->packing, row, to);
}

// One of the two GRUs of a model, or its gradients: four of the ten tensors. Encoder and decoder
// differ in D and in their weights only, so all code for a step is written once.
typedef struct pktseqi_gru {
    pktseq_real *w_ih;  // (3H, D)
    pktseq_real *w_hh;  // (3H, H)
    pktseq_real *b_ih;  // (3H)
    pktseq_real *b_hh;  // (3H)
    size_t D, H;        // D: what goes in, the model's D (encoder) or O (decoder)
} pktseqi_gru;

// Returns the encoder, which reads the input packets, or the decoder, which forecasts. The input of
// the decoder is a token, so its D is the model's O.
static pktseqi_gru pktseqi_gru_of(const pktseq_config *config, const pktseq_tensors *tensor,
                                  int decoder) {
    pktseqi_gru gru;
    gru.w_ih = decoder ? tensor->dec_w_ih : tensor->enc_w_ih;
    gru.w_hh = decoder ? tensor->dec_w_hh : tensor->enc_w_hh;
    gru.b_ih = decoder ? tensor->dec_b_ih : tensor->enc_b_ih;
    gru.b_hh = decoder ? tensor->dec_b_hh : tensor->enc_b_hh;
    gru.D = decoder ? config->out : config->in;
    gru.H = config->hidden;
    return gru;
}

// ---- >>plain: the whole network and its gradient, one number after the other ------------------

// What >>gru, >>forward, >>loss and >>backward do for batches, with vectors and threads, is written
// here as in THE MATHEMATICS: one sequence, one loop per sum, all in double. Read it first. A fast
// function names the function here that it computes (plain_gru is pktseqi_plain_gru), and tests
// compare the two. On one thread the fast functions take a 13th (H = 256, O = 25, B = 1) to a 21st
// (H = 64, O = 420, B = 32) of the time.
//
// Unrolled in time, a pair with N = 3 input and T = 2 target packets is one chain of GRU steps. The
// state h is passed along it. The output of each decoder step is the next step's input (free
// running; with teacher forcing that is the true packet, y[0]):
//
//     step s        0       1       2       3             4
//     input       x[0]    x[1]    x[2]    first     .-> out[0]
//                   |       |       |       |       |     |
//     h      0 --> enc --> enc --> enc --> dec -----|--> dec
//                                           |       |     |
//     output                              out[0] ---'   out[1]
//     loss                          (out[0]-y[0])^2   (out[1]-y[1])^2
//
// dv is short for d loss / d v. The backward pass is the forward pass, read from its last line to
// its first (Werbos 1990): a line marked "was: y = f(x)" gives dx += dy * f'(x). It is += because a
// value that is used twice changes the loss twice: h enters its own output and the next step, an
// output enters the loss and the next token, a weight enters every step of its network.

// y = W x + b          x (cols)  ->  y (rows)
static void pktseqi_plain_linear(const pktseq_real *w, const pktseq_real *b, size_t rows,
                                 size_t cols, const double *x, double *y) {
    for (size_t i = 0; i < rows; ++i) {
        y[i] = (double)b[i];
        for (size_t k = 0; k < cols; ++k) y[i] += (double)w[i * cols + k] * x[k];
    }
}

// was: y = W x + b     dW += dy x'    db += dy    dx += W' dy
// dW and db lie in grad where W and b lie in the model's block.
static void pktseqi_plain_linear_back(const pktseq_model *m, pktseq_plain *p, const pktseq_real *w,
                                      const pktseq_real *b, size_t rows, size_t cols,
                                      const double *x, const double *dy, double *dx) {
    double *dw = p->grad + (w - m->block), *db = p->grad + (b - m->block);
    for (size_t i = 0; i < rows; ++i) {
        db[i] += dy[i];
        for (size_t k = 0; k < cols; ++k) {
            dw[i * cols + k] += dy[i] * x[k];
            dx[k] += (double)w[i * cols + k] * dy[i];
        }
    }
}

// Returns 1 / (1 + e^-v), from 0 to 1: how far a gate is open. Its derivative is s*(1 - s).
static double pktseqi_plain_sigmoid(double v) { return 1 / (1 + exp(-v)); }

// Step s of a GRU (Cho et al. 2014), with r after the product, as in cuDNN and in PyTorch's nn.GRU.
//   x (D), h (H)  ->  r z n q (H each), h2 (H)        a, b (3H): what x and h contribute to r, z, n
static void pktseqi_plain_gru(const pktseq_model *m, pktseq_plain *p, size_t s) {
    pktseqi_gru w = pktseqi_gru_of(&m->config, &m->tensor, s >= m->config.inputs);
    size_t H = w.H;
    const double *h = p->h + s * H, *a = p->a, *b = p->b;
    double *r = p->gate + 4 * s * H, *z = r + H, *n = z + H, *q = n + H, *h2 = p->h + (s + 1) * H;
    pktseqi_plain_linear(w.w_ih, w.b_ih, 3 * H, w.D, p->x + s * p->width, p->a);
    pktseqi_plain_linear(w.w_hh, w.b_hh, 3 * H, H, h, p->b);
    for (size_t j = 0; j < H; ++j) {
        r[j] = pktseqi_plain_sigmoid(a[j] + b[j]);          // reset: how much of q enters n
        z[j] = pktseqi_plain_sigmoid(a[H + j] + b[H + j]);  // update: how much of h is kept
        q[j] = b[2 * H + j];
        n[j] = tanh(a[2 * H + j] + r[j] * q[j]);            // new
        h2[j] = (1 - z[j]) * n[j] + z[j] * h[j];
    }
}

// The derivatives of that step: dh2 (H)  ->  dx (D), dh (H), gradients
//   gi, gh (3H) = d loss / d a, d b, in the memory of a, b; they differ in the last third
static void pktseqi_plain_gru_back(const pktseq_model *m, pktseq_plain *p, size_t s) {
    pktseqi_gru w = pktseqi_gru_of(&m->config, &m->tensor, s >= m->config.inputs);
    size_t H = w.H;
    const double *h = p->h + s * H, *dh2 = p->dh + (s + 1) * H;
    const double *r = p->gate + 4 * s * H, *z = r + H, *n = z + H, *q = n + H;
    double *dh = p->dh + s * H, *gi = p->a, *gh = p->b;
    for (size_t j = 0; j < H; ++j) {
        double dz = dh2[j] * (h[j] - n[j]), dn = dh2[j] * (1 - z[j]);  // was: (1 - z)*n + z*h
        double an = dn * (1 - n[j] * n[j]);                            // was: n = tanh(..)
        double dr = an * q[j], dq = an * r[j];                         // was: a_n + r*q
        dh[j] = dh2[j] * z[j];
        gi[j] = gh[j] = dr * r[j] * (1 - r[j]);                        // was: r = sigmoid(..)
        gi[H + j] = gh[H + j] = dz * z[j] * (1 - z[j]);                // was: z = sigmoid(..)
        gi[2 * H + j] = an;
        gh[2 * H + j] = dq;
    }
    pktseqi_plain_linear_back(m, p, w.w_ih, w.b_ih, 3 * H, w.D, p->x + s * p->width, gi,
                              p->dx + s * p->width);
    pktseqi_plain_linear_back(m, p, w.w_hh, w.b_hh, 3 * H, H, h, gh, dh);
}

// Turns v = W h + b of a group of outputs (n) into what the loss expects: a number stays, a flag
// becomes a probability, classes a distribution. The maximum is subtracted first so that no power
// overflows.
//   sigmoid(v)          softmax(v)[i] = e^v[i] / sum of e^v
static void pktseqi_plain_link(pktseq_group_kind kind, double *v, size_t n) {
    double max = v[0], sum = 0;
    if (kind == PKTSEQ_GROUP_FLAG) v[0] = pktseqi_plain_sigmoid(v[0]);
    if (kind != PKTSEQ_GROUP_CLASS) return;
    for (size_t i = 0; i < n; ++i) max = v[i] > max ? v[i] : max;
    for (size_t i = 0; i < n; ++i) sum += v[i] = exp(v[i] - max);
    for (size_t i = 0; i < n; ++i) v[i] /= sum;
}

// Returns the kind of group g in the loss: with MSE all outputs are numbers.
static pktseq_group_kind pktseqi_plain_kind(const pktseq_config *c, size_t g) {
    return c->loss == PKTSEQ_LOSS_MSE ? PKTSEQ_GROUP_NUMBER : c->group[g].kind;
}

// Returns -log p in nats. p may have been rounded to 0, so it is at least `min`. NaN and infinity
// stay, tested by their bits: a diverged network must not look like an improbable packet.
static double pktseqi_surprisal(double p, double min) {
    return -log(pktseqi_finite(&p) && p < min ? min : p);
}

// The least probability in a loss: one group of a packet costs at most 69 nats. The gradient
// ignores the clamp.
#define PKTSEQI_MIN_LIKELIHOOD 1e-30

// Returns the loss of step s; links the outputs, and sets dout = d loss / d (W h + b).
//   number   (out - y)^2 / 2                            dout = out - y
//   flag     -(y log out + (1 - y) log(1 - out))        dout = out - y
//   class    -sum of y log out                          dout = out * (sum of y) - y
//   MSE      2 / O times that of numbers
static double pktseqi_plain_loss(const pktseq_config *c, pktseq_plain *p, size_t s) {
    double *out = p->out + s * c->out, *dout = p->dout + s * c->out, loss = 0;
    double scale = c->loss == PKTSEQ_LOSS_MSE ? 2 / (double)c->out : 1;
    const double *y = p->y + (s + 1) * c->out;
    for (size_t g = 0, n; g < c->groups; ++g, out += n, dout += n, y += n) {
        pktseq_group_kind kind = pktseqi_plain_kind(c, g);
        double sum = 0;
        n = c->group[g].count;
        pktseqi_plain_link(kind, out, n);
        for (size_t i = 0; i < n; ++i) sum += y[i];
        for (size_t i = 0; i < n; ++i) {
            double e = (kind == PKTSEQ_GROUP_CLASS ? out[i] * sum : out[i]) - y[i];
            dout[i] = scale * e;
            if (kind == PKTSEQ_GROUP_NUMBER) loss += scale * e * e / 2;
            else loss += y[i] * pktseqi_surprisal(out[i], PKTSEQI_MIN_LIKELIHOOD);
            if (kind == PKTSEQ_GROUP_FLAG)
                loss += (1 - y[i]) * pktseqi_surprisal(1 - out[i], PKTSEQI_MIN_LIKELIHOOD);
        }
    }
    return loss;
}

// Adds to dout of step s - 1 its second part: the effect of that output as the token of step s.
//   was: token = leaky_relu(out)              f = dtoken * (token > 0 ? 1 : 0.01)
//   was: out = v, sigmoid(v) or softmax(v)    dv += f, f * out * (1 - out) or out * (f - sum f out)
static void pktseqi_plain_fed_back(const pktseq_config *c, pktseq_plain *p, size_t s) {
    const double *token = p->x + s * p->width, *dtoken = p->dx + s * p->width;
    const double *out = p->out + (s - 1) * c->out;
    double *dout = p->dout + (s - 1) * c->out;
    for (size_t g = 0; g < c->groups; ++g) {
        size_t first = c->group[g].first, past = first + c->group[g].count;
        pktseq_group_kind kind = pktseqi_plain_kind(c, g);
        double sum = 0;
        for (size_t o = first; o < past; ++o)
            sum += dtoken[o] * (token[o] > 0 ? 1 : 0.01) * out[o];
        for (size_t o = first; o < past; ++o) {
            double f = dtoken[o] * (token[o] > 0 ? 1 : 0.01);
            if (kind == PKTSEQ_GROUP_FLAG) f *= out[o] * (1 - out[o]);
            if (kind == PKTSEQ_GROUP_CLASS) f = out[o] * (f - sum);
            dout[o] += f;
        }
    }
}

// The forward pass: N steps of the encoder, T of the decoder. The decoder's token is the first
// token (y[N]), then the previous output or, with teacher forcing, the previous true packet.
static void pktseqi_plain_forward(const pktseq_model *m, pktseq_plain *p, int teacher) {
    size_t N = m->config.inputs, O = m->config.out, H = m->config.hidden;
    for (size_t s = 0; s < p->steps; ++s) {
        for (size_t o = 0; s >= N && o < O; ++o) {
            double v = s == N || teacher ? p->y[s * O + o] : p->out[(s - 1) * O + o];
            p->x[s * p->width + o] = v > 0 ? v : 0.01 * v;  // leaky_relu
        }
        pktseqi_plain_gru(m, p, s);
        if (s < N) continue;
        pktseqi_plain_linear(m->tensor.out_w, m->tensor.out_b, O, H, p->h + (s + 1) * H,
                             p->out + s * O);
        p->loss += pktseqi_plain_loss(&m->config, p, s);
    }
}

// The backward pass, from the last step to the first. dh starts as zero: nothing follows the last
// step.
static void pktseqi_plain_backward(const pktseq_model *m, pktseq_plain *p, int teacher) {
    size_t N = m->config.inputs, O = m->config.out, H = m->config.hidden;
    for (size_t s = p->steps; s-- > 0;) {
        if (s >= N)
            pktseqi_plain_linear_back(m, p, m->tensor.out_w, m->tensor.out_b, O, H,
                                      p->h + (s + 1) * H, p->dout + s * O, p->dh + (s + 1) * H);
        pktseqi_plain_gru_back(m, p, s);
        if (s > N && !teacher) pktseqi_plain_fed_back(&m->config, p, s);
    }
}

// Allocates all arrays, filled with zeros. Returns 0 without memory.
static int pktseqi_plain_alloc(const pktseq_model *m, size_t targets, pktseq_plain *p) {
    size_t O = m->config.out, H = m->config.hidden, all = 0;
    size_t W = m->config.in > O ? m->config.in : O, S = pktseqi_plus(m->config.inputs, targets);
    size_t ends = pktseqi_plus(S, 1);
    struct {
        double **to;
        size_t count;
    } array[] = {{&p->x, pktseqi_times(S, W)},        {&p->h, pktseqi_times(ends, H)},
                 {&p->gate, pktseqi_times(S, 4 * H)}, {&p->y, pktseqi_times(ends, O)},
                 {&p->out, pktseqi_times(S, O)},      {&p->dout, pktseqi_times(S, O)},
                 {&p->dx, pktseqi_times(S, W)},       {&p->dh, pktseqi_times(ends, H)},
                 {&p->a, 3 * H},                      {&p->b, 3 * H},
                 {&p->grad, m->parameters}};
    double *at;
    for (size_t i = 0; i < PKTSEQI_LENGTH(array); ++i) all = pktseqi_plus(all, array[i].count);
    p->memory = at = (double *)pktseqi_alloc_zeroed(&p->allocator, all, sizeof *at);
    for (size_t i = 0; at && i < PKTSEQI_LENGTH(array); at += array[i++].count) *array[i].to = at;
    p->steps = S;
    p->width = W;
    return at != NULL;
}

// Fills in what is known before the first step: x of the encoder, and y. A packet is read into dx,
// which is not in use yet and cleared afterwards.
static void pktseqi_plain_read(const pktseq_config *c, pktseq_plain *p, const pktseq_pair *pair) {
    size_t N = c->inputs, D = c->in, O = c->out;
    pktseq_real *row = (pktseq_real *)p->dx;
    for (size_t s = 0; s <= p->steps; ++s) {
        double *to = s < N ? p->x + s * p->width : p->y + s * O;
        pktseqi_pair_read(c, pair, s, row);
        for (size_t i = 0; i < (s < N ? D : O); ++i) to[i] = (double)row[i];
    }
    memset(p->dx, 0, p->width * sizeof *p->dx);
}

PKTSEQ_DEF pktseq_status pktseq_plain_init(pktseq_plain *plain, const pktseq_model *model,
                                           const pktseq_pair *pair, int teacher,
                                           const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_status status;
    if (!plain) return pktseqi_bad_argument(err, "plain is NULL");
    memset(plain, 0, sizeof *plain);
    if (!model || !model->block || !pair)
        return pktseqi_bad_argument(err, "model or pair is NULL, or the model is empty");
    status = pktseqi_pair_check(&model->config, pair, 1);
    if (status) return pktseqi_error(err, status, 0, "the pair is not one for this model");
    plain->allocator = pktseqi_allocator(allocator);
    if (!pktseqi_plain_alloc(model, pair->targets, plain)) {
        memset(plain, 0, sizeof *plain);
        return pktseqi_no_memory(err);
    }
    pktseqi_plain_read(&model->config, plain, pair);
    pktseqi_plain_forward(model, plain, teacher);
    pktseqi_plain_backward(model, plain, teacher);
    return pktseqi_ok(err);
}

PKTSEQ_DEF void pktseq_plain_free(pktseq_plain *plain) {
    if (!plain) return;
    pktseqi_free(&plain->allocator, plain->memory);
    memset(plain, 0, sizeof *plain);
}

// ---- >>work: the memory of forward and backward -----------------------------------------------

// A work is one block of memory: its state, the arrays of PKTSEQI_ARRAYS and the gradients, with
// sizes for the largest batch. Sizes and pointers are generated from that list, so a new array is
// one new line.
//
// Time runs over S = N + T steps. At step s only the first active[s] sequences of the batch are
// left (they are sorted, longest first), so their rows lie together without padding:
//
//      row[0] = 0     row[1]        row[2]                         row[S]
//        | s = 0: B rows | s = 1: B    | ...  | s: active[s] rows | |

// Parameters of one task of the optimizer: 64 KB each of gradients, velocity and weights. That is
// long beside the microsecond or two that a task costs, and gives eight tasks in a model of H = 64.
enum { PKTSEQI_CHUNK = 16384 };

// The arrays, X(type, field, rows, cols). All steps of B sequences have SB rows: NB of the encoder
// and TB of the decoder. K is 1 if the work has memory for backward, else 0; E is 1 if the tokens
// of a packed batch may stay packed. Arrays over sequences are in sorted order, but sequence_loss.
typedef const pktseq_real *pktseqi_row;
#define PKTSEQI_ARRAYS(X) \
    X(double, sequence_loss, B, 1)      /* in the caller's order */ \
    X(size_t, order, B, 1)              /* the caller's index of a sorted sequence */ \
    X(size_t, place, B, 1)              /* the sorted index of a caller's sequence */ \
    X(size_t, active, S, 1)             /* sequences that are left at a step */ \
    X(size_t, row, pktseqi_plus(S, 1), 1)  /* the first row of a step; row[S] packets in all */ \
    X(size_t, counts, pktseqi_plus(work->targets, 2), 1)  /* scratch for sorting */ \
    X(pktseq_pair, pair, B, 1)          /* copies of the caller's views */ \
    X(unsigned char, forced, B, 1)      /* 1 = teacher forcing */ \
    X(pktseqi_row, input, K * SB, 1)    /* a row's input, .. */ \
    X(pktseqi_row, before, K * SB, 1)   /* .. its hidden state before the step .. */ \
    X(pktseqi_row, after, K * SB, 1)    /* .. and after it */ \
    X(pktseq_real, x, NB, config->in)   /* inputs of the encoder */ \
    X(pktseq_real, token, TB, O)        /* inputs of the decoder, after LeakyReLU */ \
    X(pktseqi_nonzero, entry, E * TB, config->groups)  /* or what is not zero of them */ \
    X(pktseq_real, h, pktseqi_plus(SB, B), state.h_stride)  /* states; B rows of zeros first */ \
    X(pktseq_real, gate, K ? SB : B, state.gate_stride)  /* r z n q, later their derivatives */ \
    X(pktseq_real, out, TB, O)          /* outputs, with NLL means and probabilities */ \
    X(pktseq_real, dout, K * TB, O)     /* d loss / d (W h + b) */ \
    X(pktseq_real, dh, K * B, state.h_stride)  /* d loss / d h of the current step */ \
    X(pktseq_real, dtoken, K * B, O)    /* d loss / d token of the current step */ \
    X(pktseq_real, dh_part, K * B, state.h_stride)  /* what 64 hidden units add to dh .. */ \
    X(pktseq_real, dtoken_part, K * B, O)  /* .. and to dtoken */ \
    X(pktseq_real, column, K * E * O, pktseqi_times(3, H))  /* dW_ih of the decoder, transposed */ \
    X(unsigned char, seen, K * E * O, 1)  /* 1 = a packed token is not zero in this column */ \
    X(double, squares, K * (work->parameters / PKTSEQI_CHUNK + 1), 1)  /* of a chunk's gradients */

// The state that forward and backward share, at the front of a work's block. It never points back
// to the work, which the caller may move.
typedef struct pktseqi_working {
    pktseq_config config;
    int threads;          // of OpenMP; 1 in a training loop without a pool
    size_t count, steps;  // B, S of the last forward
    int forward_only;     // 1: gate holds one step only, and there is no memory for backward
    int has_loss;         // 1 if every pair had a target
    int all_forced;       // 1 if all sequences are teacher-forced
    int can_backward;     // 1 between a forward with targets and backward
    int lazy, pending;    // see >>optimizer; pending: 1 between a lazy backward and its gradients
    pktseq_real clip;     // factor that a lazy work's gradients have still to be multiplied by
    const pktseq_packing *packing;  // of the batch, or NULL
    size_t entries;       // G where decoder inputs are packed entries, 0 where they are dense
    size_t h_stride;      // numbers from one row of h or dh to the next, at least H
    size_t gate_stride;   // the same of gate, at least 4H
    const pktseqi_kernels *kernels; // of this processor
    pktseqi_pool *pool;   // of a training loop, while it runs
#define PKTSEQI_X(type_, field_, rows_, cols_) type_ *field_;
    PKTSEQI_ARRAYS(PKTSEQI_X)
#undef PKTSEQI_X
} pktseqi_working;

// Bump-allocates rows * cols items of `size` bytes from a block at *used, 64-byte aligned: no two
// arrays share a cache line, so threads that write different arrays do not slow each other down.
// With block NULL it only counts. A size that does not fit stays (size_t)-1 to the end.
static void *pktseqi_bump(char *block, size_t *used, size_t rows, size_t cols, size_t size) {
    void *p = block ? block + *used : NULL;
    *used = pktseqi_plus(*used, pktseqi_plus(pktseqi_times(pktseqi_times(rows, cols), size), 63));
    if (*used != (size_t)-1) *used -= *used % 64;
    return p;
}

// Returns 1 if packed tokens stay packed. With at most a quarter as many groups as outputs, walking
// the numbers that are not zero one by one is faster than the dense product.
static int pktseqi_takes_entries(const pktseq_config *config) {
    return config->groups > 0 && config->groups <= config->out / 4;
}

// Lays out state, arrays and gradients for batches of work->batch sequences in a block. It is
// called twice, first with block NULL to count the bytes. Returns the bytes needed, (size_t)-1 if
// too many.
//   forward_rows   0: for forward and backward; else for forward alone, of batches with at most
//                  this many target packets in all
static size_t pktseqi_work_layout(pktseq_work *work, size_t forward_rows, char *block) {
    const pktseq_config *config = &work->config;
    size_t B = work->batch, O = config->out, H = config->hidden;
    size_t S = pktseqi_plus(config->inputs, work->targets);
    size_t TB = forward_rows ? forward_rows : pktseqi_times(work->targets, B);
    size_t NB = pktseqi_times(config->inputs, B), SB = pktseqi_plus(TB, NB);
    size_t K = forward_rows ? 0 : 1, E = pktseqi_takes_entries(config) ? 1 : 0, used = 0;
    pktseqi_working state, *place;
    memset(&state, 0, sizeof state);
    state.config = *config;
    state.threads = work->threads;
    state.forward_only = forward_rows > 0;
    state.kernels = pktseqi_choose();
    // Whole cache lines, and at least one number more than needed: rows exactly 4 KB apart would
    // all map to the same few lines of the cache.
    state.h_stride = pktseqi_plus(H, 31) / 16 * 16;
    state.gate_stride = pktseqi_plus(pktseqi_times(4, H), 31) / 16 * 16;
    place = (pktseqi_working *)pktseqi_bump(block, &used, 1, 1, sizeof state);
#define PKTSEQI_X(type_, field_, rows_, cols_) \
    state.field_ = (type_ *)pktseqi_bump(block, &used, rows_, cols_, sizeof(type_));
    PKTSEQI_ARRAYS(PKTSEQI_X)
#undef PKTSEQI_X
    work->grad_block = (pktseq_real *)pktseqi_bump(block, &used, K * work->parameters, 1,
                                                   sizeof(pktseq_real));
    if (!block) return used;
    *place = state;
    work->state = place;
    work->sequence_loss = state.sequence_loss;
    if (forward_rows) work->grad_block = NULL;
    else pktseqi_tensors_place(config, work->grad_block, &work->grad);
    return used;
}

// Allocates the memory of a work whose sizes and allocator are set. Returns 0 without memory.
static int pktseqi_work_alloc(pktseq_work *work, size_t forward_rows) {
    size_t bytes = (size_t)-1;
    work->parameters = pktseqi_parameters(&work->config);
    if (work->parameters) bytes = pktseqi_work_layout(work, forward_rows, NULL);
    // 63 bytes more, to align the block to a cache line.
    work->memory = pktseqi_alloc_large(&work->allocator, pktseqi_plus(bytes, 63), 1);
    if (work->memory)
        pktseqi_work_layout(work, forward_rows, (char *)pktseqi_align(work->memory));
    return work->memory != NULL;
}

PKTSEQ_DEF pktseq_status pktseq_work_init(pktseq_work *work, const pktseq_config *config,
                                          size_t batch, size_t targets, int threads,
                                          const pktseq_allocator *allocator, pktseq_error *err) {
    if (!work) return pktseqi_bad_argument(err, "work is NULL");
    memset(work, 0, sizeof *work);
    if (!config) return pktseqi_bad_argument(err, "config is NULL");
    if (!config->in || !config->out || !config->hidden || !batch || !targets || threads < 0 ||
        threads > 1024)
        return pktseqi_bad_argument(err, "a size is 0 or threads is not between 0 and 1024");
    work->allocator = pktseqi_allocator(allocator);
    work->config = *config;
    work->batch = batch;
    work->targets = targets;
    work->threads = pktseqi_thread_count(threads);
    if (!pktseqi_work_alloc(work, 0)) {
        pktseq_work_free(work);
        return pktseqi_no_memory(err);
    }
    pktseq_zero_grad(work);
    return pktseqi_ok(err);
}

PKTSEQ_DEF const pktseq_real *pktseq_work_output(const pktseq_work *work, size_t pair, size_t t) {
    const pktseqi_working *state = work ? work->state : NULL;
    size_t N = work ? work->config.inputs : 0, s = N + t;
    // t is compared first, since N + t may wrap. A sequence that has ended has no row.
    if (!state || pair >= work->count || t >= work->steps || s >= work->steps ||
        state->place[pair] >= state->active[s])
        return NULL;
    return state->out + (state->row[s] - state->row[N] + state->place[pair]) * work->config.out;
}

PKTSEQ_DEF const pktseq_real *pktseq_work_encoded(const pktseq_work *work, size_t pair) {
    if (!work || pair >= work->count) return NULL;
    // No sequence ends within the encoder, so each of its steps has `count` rows.
    return work->state->h + (work->config.inputs * work->count + work->state->place[pair]) *
                                work->state->h_stride;
}

PKTSEQ_DEF void pktseq_work_free(pktseq_work *work) {
    if (!work) return;
    pktseqi_free(&work->allocator, work->memory);
    memset(work, 0, sizeof *work);
}

PKTSEQI_COLD_END

// ---- >>gru: one GRU step of many sequences, and its derivatives -------------------------------

// The rows of one step: the inputs, hidden states and gates of `count` sequences.
typedef struct pktseqi_step {
    size_t count;
    const pktseq_real *x;          // (count, D) inputs
    const pktseqi_nonzero *entry;  // (count, entries) what is not zero of x, instead of x, or NULL
    size_t entries;
    const pktseq_real *h;          // (count, H) before the step, rows h_stride apart
    int h_is_zero;                 // 1 at the very first step: no product with h is needed
    pktseq_real *h2;               // (count, H) after it, rows h_stride apart
    size_t h_stride;
    pktseq_real *gate;             // (count, 4H) r z n q, rows gate_stride apart
    size_t gate_stride;
} pktseqi_step;

// Computes one GRU step: plain_gru, of many sequences.
//   x (count, D), h  ->  h2         gate keeps r z n q
// For r and z one sum of a + b is enough. n needs a alone, and q b, since r comes between them.
static void pktseqi_gru_forward(const pktseqi_kernels *kernels, const pktseqi_gru *gru,
                                const pktseqi_step *step) {
    size_t D = gru->D, H = gru->H, G = step->gate_stride;
    for (size_t part = 0; part < 4; ++part) {  // r z n q: n has no product with h, q none with x
        pktseqi_product product[2];
        size_t row = (part < 3 ? part : 2) * H;
        int products = 0;
        if (part != 3) {
            product[0].w = gru->w_ih + row * D;
            product[0].cols = product[0].x_stride = D;
            product[0].entry = step->entry;
            product[0].entries = step->entries;
            product[products++].x = step->x;
        }
        if (part != 2 && !step->h_is_zero) {
            product[products].w = gru->w_hh + row * H;
            product[products].cols = H;
            product[products].entry = NULL;
            product[products].x = step->h;
            product[products++].x_stride = step->h_stride;
        }
        kernels->matmul(product, products, H, step->count, step->gate + part * H, G);
    }
    kernels->gates(gru->b_ih, gru->b_hh, H, step->count, step->gate, G, step->h, step->h2,
                   step->h_stride);
}

// plain_gru_back has two parts here. The kernel deltas (see >>scalar) computes, from dh2 in dh and
// from r z n q, the derivatives gi = d loss / d a and gh = d loss / d b in place, in each row of
// gate, and replaces dh2 by dh2*z:
//
//     | r  | z  | n  | q  |   ->   | ar | az | an | dq |      gi = quarters 1 2 3, of W_ih x + b_ih
//                                                             gh = quarters 1 2 4, of W_hh h + b_hh
//
// Then pktseqi_matmul_transposed adds dx of plain_linear_back, also that of the outputs; dW and db
// are summed in >>backward, over all steps.
//   was: W_ih x + b_ih       dx  = W_ih' gi
//   was: W_hh h + b_hh       dh += W_hh' gh      not at step 0, where h is a constant zero
//   was: out = W h2 + b      dh2 += W' dout

// Computes y[b] += W' d[b] for b < count. W has `blocks` blocks of `rows` rows, the gates of a GRU;
// the deltas of block k are at d[b][at[k]] and after. W is not transposed in memory: the rank-k
// update adds its rows, times d. The sum over the rows is taken in pieces of 64 rows of a block,
// and within a piece block by block.
//   W (blocks * rows, cols)   d (count) rows d_stride apart   y (count, cols) rows y_stride apart
//   part: scratch of the size of y
static void pktseqi_matmul_transposed(const pktseqi_kernels *kernels, const pktseq_real *w,
                                      size_t blocks, size_t rows, size_t cols,
                                      const pktseq_real *d, const size_t *at, size_t d_stride,
                                      size_t count, pktseq_real *part, pktseq_real *y,
                                      size_t y_stride) {
    const pktseq_real *row[PKTSEQI_PIECE];
    for (size_t i = 0, n; i < rows; i += n) {
        n = pktseqi_piece(rows - i);
        for (size_t k = 0; k < blocks; ++k) {
            for (size_t t = 0; t < n; ++t) row[t] = w + (k * rows + i + t) * cols;
            kernels->rank_update(d + at[k] + i, d_stride, 1, row, n, count, cols, 1, k == 0, part,
                                 y_stride);
        }
        for (size_t b = 0; b < count; ++b)
            kernels->axpy(1, part + b * y_stride, y + b * y_stride, cols);
    }
}

// ---- >>batch: sequences sorted by length, the rows of a step, the decoder's tokens ------------

// A batch is checked, then sorted, longest first, so that the sequences left at a step are the
// first rows of its arrays. Pairs are copied into the work and encoder inputs are unpacked; of the
// caller's memory only the packets that the pairs point to are read later. Then pktseqi_step_of
// describes any step, and pktseqi_decoder_token computes a token.

// Returns where decoder step s begins in token, out and dout, in rows: these arrays have no rows
// for the encoder's steps, which have no output.
static size_t pktseqi_decoder_row(const pktseqi_working *work, size_t s) {
    return work->row[s] - work->row[work->config.inputs];
}

// Describes the rows of step s of the sequences [first, past): inputs, states before it (zeros, or
// the previous step's) and after it, and gates. Longer sequences come first, so those that are left
// are a prefix.
static pktseqi_step pktseqi_step_of(const pktseqi_working *work, size_t s, size_t first,
                                    size_t past) {
    pktseqi_step step;
    size_t N = work->config.inputs, D = s < N ? work->config.in : work->config.out;
    size_t before = s == 0 ? 0 : work->count + work->row[s - 1];
    size_t row = (s < N ? work->row[s] : pktseqi_decoder_row(work, s)) + first;
    // If no sequence is left, count is 0 and no pointer of the step is used.
    if (past > work->active[s]) past = work->active[s];
    step.count = past > first ? past - first : 0;
    step.x = (s < N ? work->x : work->token) + row * D;
    step.entries = s < N ? 0 : work->entries;
    step.entry = step.entries ? work->entry + row * step.entries : NULL;
    step.h_stride = work->h_stride;
    step.gate_stride = work->gate_stride;
    step.h = work->h + (before + first) * work->h_stride;
    step.h_is_zero = s == 0;
    step.h2 = work->h + (work->count + work->row[s] + first) * work->h_stride;
    step.gate = work->gate + ((work->forward_only ? 0 : work->row[s]) + first) * work->gate_stride;
    return step;
}

// Stores where the input and the states of each row are, for the sums over packets in >>backward.
static void pktseqi_note_rows(pktseqi_working *work) {
    for (size_t s = 0; s < work->steps; ++s) {
        pktseqi_step step = pktseqi_step_of(work, s, 0, work->count);
        size_t D = s < work->config.inputs ? work->config.in : work->config.out;
        for (size_t b = 0; b < step.count; ++b) {
            work->input[work->row[s] + b] = step.x + b * D;
            work->before[work->row[s] + b] = step.h + b * step.h_stride;
            work->after[work->row[s] + b] = step.h2 + b * step.h_stride;
        }
    }
}

// Sorts the batch, longest first and equal lengths in the caller's order, by counting, in B + T
// operations. Fills order, place, pair, active, row and steps. The order depends on the lengths
// alone, and with it the order of every sum over packets.
static void pktseqi_sort_batch(pktseqi_working *work, const pktseq_pair *pair, size_t count) {
    size_t N = work->config.inputs, longest = 0, s, t;
    for (size_t i = 0; i < count; ++i)
        if (pair[i].targets > longest) longest = pair[i].targets;
    // T is at most work->targets, so counts has room for T + 1.
    memset(work->counts, 0, (longest + 2) * sizeof *work->counts);
    for (size_t i = 0; i < count; ++i) ++work->counts[pair[i].targets];
    for (t = longest; t-- > 0;) work->counts[t] += work->counts[t + 1];  // now: pairs of T >= t
    work->count = count;
    work->steps = N + longest;
    work->row[0] = 0;
    for (s = 0; s < work->steps; ++s) {
        // Sequences with more than s - N target packets have a decoder step s.
        work->active[s] = s < N ? count : work->counts[s - N + 1];
        work->row[s + 1] = work->row[s] + work->active[s];
    }
    for (size_t i = 0; i < count; ++i) {
        size_t at = work->counts[pair[i].targets + 1]++;  // after the longer ones
        work->order[at] = i;
        work->place[i] = at;
        work->pair[at] = pair[i];
    }
}

// Returns 1 if a work has arrays of the right shapes for a model. The weights do not matter: a work
// serves many models of one config, one after the other.
static int pktseqi_fits(const pktseq_model *model, const pktseq_work *work) {
    const pktseq_config *a = &model->config, *b = &work->config;
    return a->in == b->in && a->out == b->out && a->hidden == b->hidden &&
           a->inputs == b->inputs && a->loss == b->loss;
}

// Checks all arguments of forward before anything is written, so a forward that fails leaves the
// results of the one before. All pairs of a batch share one packing, or none is packed.
static pktseq_status pktseqi_forward_check(const pktseq_model *model, const pktseq_work *work,
                                           const pktseq_pair *pair, size_t count,
                                           const unsigned char *teacher) {
    if (!model || !model->block || !work || !work->state || !pair || count == 0)
        return PKTSEQ_ERROR_ARGUMENT;
    if (count > work->batch || !pktseqi_fits(model, work)) return PKTSEQ_ERROR_MISMATCH;
    for (size_t i = 0; i < count; ++i) {
        // The shared packing is compared again for each pair: a few comparisons a group, beside
        // thousands of multiply-adds a packet. By the model's groups, which it owns: those of
        // work->config may be gone.
        pktseq_status status = pktseqi_pair_check(&model->config, &pair[i], teacher && teacher[i]);
        if (status) return status;
        if (pair[i].packing != pair[0].packing || pair[i].targets > work->targets)
            return PKTSEQ_ERROR_MISMATCH;
    }
    return PKTSEQ_OK;
}

// Sorts a checked batch into the work and reads the encoder's inputs. Takes 0.02 ms of the 17 ms of
// an iteration, so one thread does it.
//   all_forced   1: as if teacher were all 1
static void pktseqi_forward_begin(pktseqi_working *work, const pktseq_pair *pair, size_t count,
                                  const unsigned char *teacher, int all_forced) {
    size_t D = work->config.in, N = work->config.inputs;
    const pktseq_packing *p = work->packing = pair[0].packing;
    pktseqi_sort_batch(work, pair, count);
    work->has_loss = 1;
    work->all_forced = 1;
    for (size_t b = 0; b < count; ++b) {
        const pktseq_pair *in = &work->pair[b];
        work->forced[b] = all_forced || (teacher && teacher[work->order[b]]);
        if (!work->forced[b]) work->all_forced = 0;
        if (!pktseqi_has_target(in)) work->has_loss = 0;
        for (size_t s = 0; s < N; ++s)
            pktseqi_pair_read(&work->config, in, s, work->x + (s * count + b) * D);
        // The state of sequence b before the first step.
        memset(work->h + b * work->h_stride, 0, work->config.hidden * sizeof *work->h);
    }
    // Packed packets stay packed if no output is among the tokens, and there is memory for entries.
    work->entries = p && work->all_forced && pktseqi_takes_entries(&work->config) &&
                            p->groups == work->config.groups ? p->groups : 0;
    if (!work->forward_only) pktseqi_note_rows(work);
}

static const pktseq_real pktseqi_slope = (pktseq_real)0.01;  // of LeakyReLU below zero

// Computes token = LeakyReLU(from), O numbers. They may be the same array.
static void pktseqi_token(const pktseq_real *from, size_t O, pktseq_real *token) {
    for (size_t o = 0; o < O; ++o) token[o] = from[o] > 0 ? from[o] : pktseqi_slope * from[o];
}

// Lists what is not zero of LeakyReLU of the targets of a packed row; NULL stands for zeros.
//   entry (G) out; a zero where a group has nothing
static void pktseqi_packed_token(const pktseq_packing *p, const pktseq_real *row,
                                 pktseqi_nonzero *entry) {
    memset(entry, 0, p->groups * sizeof *entry);
    for (size_t g = 0; row && g < p->groups; ++g) {
        const pktseq_group *group = &p->group[g];
        pktseq_real v = row[p->group_field[g]];
        size_t hot = group->kind == PKTSEQ_GROUP_CLASS ? pktseqi_hot(group, v) : 0;
        if (hot == group->count) continue;  // an unknown class: all zeros
        if (group->kind == PKTSEQ_GROUP_CLASS) v = 1;
        entry[g].col = group->first + hot;
        pktseqi_token(&v, 1, &entry[g].x[entry[g].col % 16]);
    }
}

// Computes the decoder's input of sequence b at step s: LeakyReLU of the first token, of the
// previous true packet, or of the previous output. The token loop of plain_forward.
static void pktseqi_decoder_token(pktseqi_working *work, size_t s, size_t b) {
    size_t N = work->config.inputs, O = work->config.out, at = pktseqi_decoder_row(work, s) + b;
    const pktseq_pair *pair = &work->pair[b];
    pktseq_real *token = work->token + at * O;
    if (work->entries) {
        pktseqi_packed_token(pair->packing, pktseqi_pair_row(&work->config, pair, s),
                             work->entry + at * work->entries);
    } else if (s > N && !work->forced[b]) {
        pktseqi_token(work->out + (pktseqi_decoder_row(work, s - 1) + b) * O, O, token);
    } else {
        pktseqi_pair_read(&work->config, pair, s, token);
        pktseqi_token(token, O, token);
    }
}

// ---- >>loss: the error of one packet, and its derivative --------------------------------------

// A target packet is read through pktseqi_truth, whether its row is dense or packed. Outputs pass
// the link first (with NLL); then come the loss of a packet, in double, and dout, its derivative by
// W h + b. Detectors read truths and outputs in the same way.

// A target packet as a dense row (O) or, with a packing, as a packed one: one number a group.
typedef struct pktseqi_truth {
    const pktseq_packing *packing;  // or NULL
    const pktseq_real *row;
} pktseqi_truth;

// Returns target packet t of a pair.
static pktseqi_truth pktseqi_truth_in(const pktseq_pair *pair, size_t t, size_t O) {
    const pktseq_packing *p = pair->packing;
    pktseqi_truth truth;
    truth.packing = p;
    truth.row = p ? pair->packed_target + t * p->fields : pair->target + t * O;
    return truth;
}

// Returns feature i of group g: a packed class is 1 at its own feature and 0 at the others, or 0 at
// all of them if the codec does not know it.
static pktseq_real pktseqi_truth_at(const pktseqi_truth *truth, const pktseq_group *group, size_t g,
                                    size_t i) {
    pktseq_real v;
    if (!truth->packing) return truth->row[group->first + i];
    v = truth->row[truth->packing->group_field[g]];
    return group->kind == PKTSEQ_GROUP_CLASS ? (pktseq_real)(pktseqi_hot(group, v) == i) : v;
}

// Returns the feature of a packed group of classes that is 1, or group->count if there is none. A
// dense row may hold anything, so this is for packed rows only.
static size_t pktseqi_truth_hot(const pktseqi_truth *truth, const pktseq_group *group, size_t g) {
    return pktseqi_hot(group, truth->row[truth->packing->group_field[g]]);
}

// Applies the link of NLL to W h + b (O), group by group: plain_link.
static void pktseqi_link(const pktseqi_kernels *kernels, const pktseq_model *model,
                         pktseq_real *out) {
    for (size_t g = 0; g < model->config.groups; ++g) {
        const pktseq_group *group = &model->config.group[g];
        pktseq_real *v = out + group->first;
        size_t n = group->count;
        if (group->kind == PKTSEQ_GROUP_FLAG) kernels->sigmoid(v, 1);
        if (group->kind == PKTSEQ_GROUP_CLASS)
            kernels->scale(1 / kernels->exp(v, n, kernels->max(v, n)), v, n);
    }
}

// Returns the sum over O of (out - y)^2: plain_loss with MSE, times O. In double and in the order
// of the outputs, so that float and double models differ by their outputs alone. No vectors: all
// losses of a batch take 1 % of the time of an iteration.
static double pktseqi_squared_error(const pktseq_model *model, const pktseq_real *out,
                                    const pktseqi_truth *truth) {
    double sum = 0;
    for (size_t g = 0; g < model->config.groups; ++g) {
        const pktseq_group *group = &model->config.group[g];
        for (size_t i = 0; i < group->count; ++i) {
            double e = (double)out[group->first + i] -
                       (double)pktseqi_truth_at(truth, group, g, i);
            sum += e * e;
        }
    }
    return sum;
}

// Returns the negative log-likelihood of group g of y under the outputs, in nats: the sum of
// plain_loss over the group. 0 for a class that the codec does not know (all zeros).
static double pktseqi_group_nll(const pktseq_group *group, size_t g, const pktseq_real *out,
                                const pktseqi_truth *truth) {
    const double min = PKTSEQI_MIN_LIKELIHOOD;
    double nll = 0, y;
    size_t hot;
    out += group->first;
    // A packed class: y is 1 at one feature, so one logarithm is enough. The sum below would add
    // zeros and give the same bits.
    if (group->kind == PKTSEQ_GROUP_CLASS && truth->packing) {
        hot = pktseqi_truth_hot(truth, group, g);
        return hot < group->count ? pktseqi_surprisal((double)out[hot], min) : 0;
    }
    // A number: Gaussian of variance 1, without the constant log(2 pi) / 2.
    y = (double)pktseqi_truth_at(truth, group, g, 0);
    if (group->kind == PKTSEQ_GROUP_NUMBER) {
        nll = (double)out[0] - y;
        return nll * nll / 2;
    }
    // A flag, or dense classes. y need not be 0 or 1: a distribution is allowed.
    for (size_t i = 0; i < group->count; ++i) {
        double yi = (double)pktseqi_truth_at(truth, group, g, i);
        if (yi > 0 || yi < 0) nll += yi * pktseqi_surprisal((double)out[i], min);
    }
    if (group->kind == PKTSEQ_GROUP_FLAG && (y < 1 || y > 1))
        nll += (1 - y) * pktseqi_surprisal((double)(1 - out[0]), min);
    return nll;
}

// Returns the loss of one packet: plain_loss.
static double pktseqi_packet_loss(const pktseq_model *model, const pktseq_real *out,
                                  const pktseqi_truth *truth) {
    double nll = 0;
    if (model->config.loss == PKTSEQ_LOSS_MSE)
        return pktseqi_squared_error(model, out, truth) / (double)model->config.out;
    for (size_t g = 0; g < model->config.groups; ++g)
        nll += pktseqi_group_nll(&model->config.group[g], g, out, truth);
    return nll;
}

// Computes the derivative of the loss of one packet by W h + b, from its own error, for a batch of
// B sequences: dout of plain_loss, divided by B. The sum of a class's y is 1, or 0 if the codec
// does not know it: then nothing is learned.
//   out (O)   dout (O) out
static void pktseqi_packet_dout(const pktseq_model *model, const pktseq_real *out,
                                const pktseqi_truth *truth, size_t B, pktseq_real *dout) {
    int nll = model->config.loss == PKTSEQ_LOSS_NLL;
    pktseq_real scale = (pktseq_real)((nll ? 1.0 : 2.0 / (double)model->config.out) / (double)B);
    for (size_t g = 0; g < model->config.groups; ++g) {
        const pktseq_group *group = &model->config.group[g];
        const pktseq_real *v = out + group->first;
        pktseq_real *d = dout + group->first, sum = 1;
        size_t n = group->count, hot;
        if (group->kind != PKTSEQ_GROUP_CLASS) {
            d[0] = scale * (v[0] - pktseqi_truth_at(truth, group, g, 0));
        } else if (truth->packing) {
            hot = pktseqi_truth_hot(truth, group, g);
            // y is 1 at one feature or nowhere: the same bits as below, without reading 400 zeros.
            if (nll && hot == n) sum = 0;
            PKTSEQI_SIMD
            for (size_t i = 0; i < n; ++i) d[i] = scale * (v[i] * sum);
            if (hot < n) d[hot] = scale * (v[hot] - 1);
        } else {
            const pktseq_real *y = truth->row + group->first;
            if (nll) sum = 0;
            for (size_t i = 0; nll && i < n; ++i) sum += y[i];
            for (size_t i = 0; i < n; ++i) d[i] = scale * (v[i] * sum - y[i]);
        }
    }
}

// ---- >>forward: a batch through encoder and decoder -------------------------------------------

// plain_forward, for many sequences at once: rows of an array are sequences.
//
// A batch is divided into as many chains as there are threads, of consecutive sorted sequences; a
// chain is one task. What does not depend on the previous step follows for all rows at once: the
// outputs of batches that are all teacher-forced, in tiles of rows, and the losses, by sequence.
//
// Of an iteration of the recommended recipe (32 sequences, 290 packets, H = 64, O = 490, one thread
// with AVX-512: 1.2 ms) chains take 16 %, outputs 31 %, losses 1 %, backward chains and the
// outputs' gradients 38 %, other gradients 9 %, clipping and the step 5 % of the time. (With 1,700
// packets and O = 174, 4.1 ms: 26, 23, 1, 33, 16 and 1 %.)

// Rows that are processed together so that they stay in the cache: 32 rows of out take 54 KB if O
// is 420; gates and states of 32 sequences, on their way back, 160 KB if H is 256.
enum { PKTSEQI_TILE = 32 };

// What the tasks of a pass share. Tasks only read it.
typedef struct pktseqi_job {
    const pktseq_model *model;
    pktseqi_working *work;
    size_t chains;
    int halves;  // of a backward pass
    // Gradients: each is multiplied by scale and added to `to`, or overwrites it.
    const pktseq_tensors *to;
    pktseq_real scale;
    int overwrite;
    size_t gates, ranges;  // tasks: of one GRU, and of packed inputs
} pktseqi_job;

// Finds the sequences [first, past) of one chain. A step costs a chain as much as CHAIN_STEP
// packets, since all weights are read once, and each of its packets one more. So the first chain,
// which has the longest sequences, gets fewer packets than the last.
static void pktseqi_chain_range(const pktseqi_working *work, size_t chain, size_t chains,
                                size_t *first, size_t *past) {
    enum { CHAIN_STEP = 2 };  // measured with H = 64 and 32 sequences of 8 and of 57 packets
    size_t N = work->config.inputs, b = 0, rest = work->row[work->steps];
    // Walks from the first chain: there are few chains and sequences, and each chain does so once a
    // pass. Every later chain keeps at least one sequence, so none is empty.
    for (size_t c = 0; c <= chain; ++c) {
        size_t cost = 0, left = chains - c - 1;  // chains after this one
        *first = b;
        for (; work->count - b > left; ++b) {
            size_t packets = N + work->pair[b].targets;
            if (b == *first) cost = CHAIN_STEP * packets;
            else if (left && cost * left >= rest + CHAIN_STEP * packets * left) break;
            cost += packets;
            rest -= packets;
        }
        *past = b;
    }
}

// Computes out = W h + b (plain_linear) for `rows` hidden states h_stride apart: `count` outputs
// from `first` on. A watcher needs a part of them only, one group at a time.
//   out (rows) of `count` numbers each, O apart
static void pktseqi_output_rows(const pktseqi_kernels *kernels, const pktseq_model *model,
                                const pktseq_real *h, size_t h_stride, size_t rows, size_t first,
                                size_t count, pktseq_real *out) {
    size_t O = model->config.out;
    pktseqi_product product;
    product.w = model->tensor.out_w + first * model->config.hidden;
    product.cols = model->config.hidden;
    product.entry = NULL;
    product.x = h;
    product.x_stride = h_stride;
    kernels->matmul(&product, 1, count, rows, out, O);
    for (size_t b = 0; b < rows; ++b)
        kernels->axpy(1, model->tensor.out_b + first, out + b * O, count);
}

// Computes all outputs of `rows` hidden states and, with NLL, applies the link.
static void pktseqi_output(const pktseqi_kernels *kernels, const pktseq_model *model,
                           const pktseq_real *h, size_t h_stride, size_t rows, pktseq_real *out) {
    size_t O = model->config.out;
    pktseqi_output_rows(kernels, model, h, h_stride, rows, 0, O, out);
    for (size_t b = 0; b < rows && model->config.loss == PKTSEQ_LOSS_NLL; ++b)
        pktseqi_link(kernels, model, out + b * O);
}

// Computes dout of sequence b at decoder step s if a backward pass may follow; here, since the
// outputs are in the cache.
static void pktseqi_decoder_dout(const pktseq_model *model, pktseqi_working *work, size_t s,
                                 size_t b) {
    size_t at = (pktseqi_decoder_row(work, s) + b) * work->config.out;
    pktseqi_truth truth;
    if (!work->has_loss || work->forward_only) return;
    truth = pktseqi_truth_in(&work->pair[b], s - work->config.inputs, work->config.out);
    pktseqi_packet_dout(model, work->out + at, &truth, work->count, work->dout + at);
}

// Takes the sequences of one chain from step to step: plain_forward. If all are teacher-forced, all
// inputs are known and the outputs are computed later, all at once; else a step's outputs are the
// next step's tokens.
static void pktseqi_forward_chain(void *user, size_t chain) {
    const pktseqi_job *job = (const pktseqi_job *)user;
    pktseqi_working *work = job->work;
    size_t O = work->config.out, N = work->config.inputs, first, past;
    pktseqi_chain_range(work, chain, job->chains, &first, &past);
    for (size_t b = first; b < past; ++b)
        for (size_t t = 0; t < (work->all_forced ? work->pair[b].targets : 1); ++t)
            pktseqi_decoder_token(work, N + t, b);
    for (size_t s = 0; s < work->steps; ++s) {
        pktseqi_gru gru = pktseqi_gru_of(&work->config, &job->model->tensor, s >= N);
        pktseqi_step step = pktseqi_step_of(work, s, first, past);
        if (step.count == 0) break;  // its sequences have ended
        pktseqi_gru_forward(work->kernels, &gru, &step);
        if (s < N || work->all_forced) continue;
        pktseqi_output(work->kernels, job->model, step.h2, step.h_stride, step.count,
                       work->out + (pktseqi_decoder_row(work, s) + first) * O);
        for (size_t b = first; b < first + step.count; ++b) {
            pktseqi_decoder_dout(job->model, work, s, b);
            if (s + 1 < work->steps && b < work->active[s + 1])
                pktseqi_decoder_token(work, s + 1, b);
        }
    }
}

// Computes a tile of the outputs of sequences that are all forced. The rows of all decoder steps
// are consecutive in h and in out, so a tile may span several steps.
static void pktseqi_forward_tile(void *user, size_t tile) {
    const pktseqi_job *job = (const pktseqi_job *)user;
    pktseqi_working *work = job->work;
    size_t row = tile * PKTSEQI_TILE, past = pktseqi_decoder_row(work, work->steps);
    size_t O = work->config.out, N = work->config.inputs, s = N;
    const pktseq_real *h2 = work->h + (work->count + work->row[N] + row) * work->h_stride;
    if (past > row + PKTSEQI_TILE) past = row + PKTSEQI_TILE;
    pktseqi_output(work->kernels, job->model, h2, work->h_stride, past - row, work->out + row * O);
    for (; row < past; ++row) {
        while (pktseqi_decoder_row(work, s + 1) <= row) ++s;
        pktseqi_decoder_dout(job->model, work, s, row - pktseqi_decoder_row(work, s));
    }
}

// Sums the loss of sequence b over its steps, in double: one task, so one order.
static void pktseqi_forward_loss(void *user, size_t b) {
    const pktseqi_job *job = (const pktseqi_job *)user;
    pktseqi_working *work = job->work;
    const pktseq_pair *pair = &work->pair[b];
    size_t O = work->config.out, N = work->config.inputs;
    double loss = 0;
    for (size_t t = 0; t < pair->targets; ++t) {
        pktseqi_truth truth = pktseqi_truth_in(pair, t, O);
        loss += pktseqi_packet_loss(job->model,
                                    work->out + (pktseqi_decoder_row(work, N + t) + b) * O, &truth);
    }
    work->sequence_loss[work->order[b]] = loss;
}

// Sums the losses in the caller's order, and publishes the results. If a pair has no target there
// is no loss (0), and no backward pass.
static void pktseqi_forward_end(pktseq_work *results) {
    pktseqi_working *work = results->state;
    double count = (double)work->count;
    results->count = work->count;
    results->steps = work->steps;
    results->loss = results->report = 0;
    for (size_t i = 0; i < work->count; ++i) {
        if (!work->has_loss) work->sequence_loss[i] = 0;
        results->loss += work->sequence_loss[i] / count;
        results->report += work->sequence_loss[i] /
                           (double)work->pair[work->place[i]].targets / count;
    }
    work->can_backward = work->has_loss && !work->forward_only;
}

enum { PKTSEQI_FEW = 4 };  // batches of fewer sequences use one thread, see below

// Returns the number of threads that are worth using for the batch. Starting them pays if one
// thread needs 0.3 ms or so (4e6 multiply-adds). Few sequences stay on one core: one sequence is a
// single chain, and dividing its units brought a sixth at most, with a barrier at every step.
static int pktseqi_work_threads(const pktseqi_working *work) {
    // In double, where a product of sizes does not wrap. Forward only: backward costs twice that.
    size_t D = work->config.in, O = work->config.out, H = work->config.hidden;
    double cost = 3 * (double)H * (double)(H + (D > O ? D : O)) * (double)work->row[work->steps];
    return work->count < PKTSEQI_FEW || cost < 4e6 ? 1 : work->threads;
}

// Runs a pass with the threads of a training loop, or with its own. Within training no pass starts
// threads: the pool has them, or the batch is too small for them.
static void pktseqi_work_run(pktseqi_working *work, void (*pass)(void *, pktseqi_pool *),
                             pktseqi_job *job) {
    int threads = pktseqi_work_threads(work);
    job->work = work;
    job->chains = (size_t)threads < work->count ? (size_t)threads : work->count;
    if (work->pool && threads > 1) pass(job, work->pool);
    else pktseqi_pool_run(work->pool ? 1 : threads, pass, job);
}

// Runs the loops of a forward pass: chains, tiles of outputs, losses. Each begins after the
// previous one has finished.
static void pktseqi_forward_pass(void *user, pktseqi_pool *pool) {
    pktseqi_job *job = (pktseqi_job *)user;
    pktseqi_working *work = job->work;
    size_t rows = pktseqi_decoder_row(work, work->steps);
    pktseqi_pool_tasks(pool, job->chains, pktseqi_forward_chain, job);
    if (work->all_forced)
        pktseqi_pool_tasks(pool, (rows + PKTSEQI_TILE - 1) / PKTSEQI_TILE, pktseqi_forward_tile,
                           job);
    if (work->has_loss) pktseqi_pool_tasks(pool, work->count, pktseqi_forward_loss, job);
}

// Does what pktseq_forward does, with all_forced as if teacher were all 1.
static pktseq_status pktseqi_forward(const pktseq_model *model, pktseq_work *work,
                                     const pktseq_pair *pair, size_t count,
                                     const unsigned char *teacher, int all_forced) {
    pktseq_status status = pktseqi_forward_check(model, work, pair, count, teacher);
    pktseqi_job job;
    if (status) return status;
    memset(&job, 0, sizeof job);
    job.model = model;
    pktseqi_forward_begin(work->state, pair, count, teacher, all_forced);
    pktseqi_work_run(work->state, pktseqi_forward_pass, &job);
    pktseqi_forward_end(work);
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_forward(const pktseq_model *model, pktseq_work *work,
                                        const pktseq_pair *pair, size_t count,
                                        const unsigned char *teacher) {
    return pktseqi_forward(model, work, pair, count, teacher, 0);
}

// ---- >>backward: through time, from the last step to the first --------------------------------

// plain_backward in two halves. First the deltas: each chain goes back through its steps and leaves
// the derivatives before the activations in gate and dout. Then the gradients, which are sums over
// all steps of deltas times inputs: one pass over each weight matrix at the end, and not one at
// each step. A gradient task has at most 64 rows of a weight matrix. Each number is written by one
// task, in one order of sums.

// Adds the second part of dout of sequence b at step s, the effect of that output as the token of
// step s + 1: plain_fed_back. dtoken (O) becomes f; a token has the sign of its output.
static void pktseqi_decoder_fed_back(const pktseq_model *model, pktseqi_working *work, size_t s,
                                     size_t b) {
    size_t O = work->config.out, at = (pktseqi_decoder_row(work, s) + b) * O;
    const pktseq_real *token = work->token + (pktseqi_decoder_row(work, s + 1) + b) * O;
    const pktseq_real *out = work->out + at;
    pktseq_real *dout = work->dout + at, *f = work->dtoken + b * O;
    for (size_t o = 0; o < O; ++o) f[o] *= token[o] > 0 ? 1 : pktseqi_slope;
    for (size_t g = 0; work->config.loss == PKTSEQ_LOSS_NLL && g < model->config.groups; ++g) {
        const pktseq_group *group = &model->config.group[g];
        size_t first = group->first, past = first + group->count;
        pktseq_real sum = 0;
        if (group->kind == PKTSEQ_GROUP_FLAG) f[first] *= out[first] * (1 - out[first]);
        if (group->kind != PKTSEQ_GROUP_CLASS) continue;
        for (size_t o = first; o < past; ++o) sum += f[o] * out[o];
        for (size_t o = first; o < past; ++o) f[o] = out[o] * (f[o] - sum);
    }
    for (size_t o = 0; o < O; ++o) dout[o] += f[o];
}

// Takes the sequences [first, past) back through step s: one round of plain_backward. Their dh
// becomes that of the step before, and the dout of the output that was fed back is completed.
static void pktseqi_backward_step(const pktseq_model *model, pktseqi_working *work, size_t s,
                                  size_t first, size_t past) {
    const pktseqi_kernels *kernels = work->kernels;
    size_t O = work->config.out, H = work->config.hidden, N = work->config.inputs;
    pktseqi_gru gru = pktseqi_gru_of(&work->config, &model->tensor, s >= N);
    pktseqi_step step = pktseqi_step_of(work, s, first, past);
    const size_t gi[3] = {0, H, 2 * H}, gh[3] = {0, H, 3 * H};
    pktseq_real *dh2 = work->dh + first * work->h_stride, *dtoken = work->dtoken + first * O;
    pktseq_real *part = work->dh_part + first * work->h_stride;
    // was: out = W h + b           dh += W' dout
    if (s >= N)
        pktseqi_matmul_transposed(kernels, model->tensor.out_w, 1, O, H,
                                  work->dout + (pktseqi_decoder_row(work, s) + first) * O, gi, O,
                                  step.count, part, dh2, work->h_stride);
    kernels->deltas(H, step.count, step.h, dh2, step.h_stride, step.gate, step.gate_stride);
    // was: W_hh h + b_hh           dh += W_hh' gh
    // was: W_ih token + b_ih       dtoken = W_ih' gi
    if (s > 0)
        pktseqi_matmul_transposed(kernels, gru.w_hh, 3, H, H, step.gate, gh, step.gate_stride,
                                  step.count, part, dh2, work->h_stride);
    if (s <= N || work->all_forced) return;  // the token was given, not an output
    memset(dtoken, 0, step.count * O * sizeof *dtoken);
    pktseqi_matmul_transposed(kernels, gru.w_ih, 3, H, O, step.gate, gi, step.gate_stride,
                              step.count, work->dtoken_part + first * O, dtoken, O);
    for (size_t b = first; b < first + step.count; ++b)
        if (!work->forced[b]) pktseqi_decoder_fed_back(model, work, s - 1, b);
}

// Computes all deltas of one chain: plain_backward without its sums, a tile of sequences at a time.
static void pktseqi_backward_chain(const pktseqi_job *job, size_t chain) {
    pktseqi_working *work = job->work;
    size_t first, past, end;
    pktseqi_chain_range(work, chain, job->chains, &first, &past);
    // Nothing follows a sequence's last step, so its dh starts as zero. Going back, active[s]
    // grows: a shorter sequence joins at its own last step, where its row of dh is still zero.
    for (size_t b = first; b < past; ++b)
        memset(work->dh + b * work->h_stride, 0, work->config.hidden * sizeof *work->dh);
    for (size_t s = work->steps; s-- > 0;)
        for (size_t b = first; b < past && b < work->active[s]; b = end) {
            end = past - b < PKTSEQI_TILE ? past : b + PKTSEQI_TILE;
            pktseqi_backward_step(job->model, work, s, b, end);
        }
}

// Adds d x' to n <= 64 rows of weights, and d to their biases, summed over packets: dW and db of
// plain_linear_back, in pieces of 64 packets. The order of these sums is the same for any number of
// threads: steps forward in time, within a step the sequences as sorted (longest first); each piece
// starts from zero, and the pieces are added in order.
//   d (rows, n), d_stride apart   x (rows) of (cols) numbers each   w (n, cols), or NULL   bias (n)
static void pktseqi_outer_sums(const pktseqi_job *job, const pktseq_real *d, size_t d_stride,
                               size_t n, const pktseqi_row *x, size_t rows, size_t cols,
                               pktseq_real *w, pktseq_real *bias) {
    const pktseqi_kernels *kernels = job->work->kernels;
    for (size_t i = 0, terms; i < rows; i += terms, d += terms * d_stride) {
        int overwrite = job->overwrite && i == 0;
        terms = pktseqi_piece(rows - i);
        if (w)
            kernels->rank_update(d, 1, d_stride, x + i, terms, n, cols, job->scale, overwrite, w,
                                 cols);
        kernels->column_sums(d, d_stride, terms, n, job->scale, overwrite, bias);
    }
}

// Sums the gradients of one gate (part 0 r, 1 z, 2 n) of at most 64 units of a GRU over all its
// steps, from the deltas in gate.
//   was: W_ih x + b_ih     dW_ih += gi x'     db_ih += gi       gi = ar az an
//   was: W_hh h + b_hh     dW_hh += gh h'     db_hh += gh       gh = ar az dq
static void pktseqi_gru_gradient(const pktseqi_job *job, int decoder, size_t part, size_t unit) {
    const pktseqi_working *work = job->work;
    pktseqi_gru to = pktseqi_gru_of(&work->config, job->to, decoder);
    size_t N = work->config.inputs, H = to.H, D = to.D, G = work->gate_stride;
    size_t first = work->row[decoder ? N : 0];
    size_t rows = work->row[decoder ? work->steps : N] - first, w = part * H + unit;
    size_t n = pktseqi_piece(H - unit);
    const pktseq_real *gi = work->gate + first * G + w, *gh = part < 2 ? gi : gi + H;
    pktseqi_outer_sums(job, gi, G, n, work->input + first, rows, D,
                       decoder && work->entries ? NULL : to.w_ih + w * D, to.b_ih + w);
    pktseqi_outer_sums(job, gh, G, n, work->before + first, rows, H, to.w_hh + w * H, to.b_hh + w);
}

// Sorts the entries of group g in `count` <= 64 rows by column and then by row, by insertion: most
// packets repeat a column, so most keys stay where they are appended.
//   key (count) out: column * 64 + row      Returns the number of keys; zeros have none.
static size_t pktseqi_sort_entries(const pktseqi_nonzero *entry, size_t entries, size_t g,
                                   size_t count, uint64_t *key) {
    size_t n = 0;
    for (size_t t = 0; t < count; ++t) {
        const pktseqi_nonzero *e = &entry[t * entries + g];
        uint64_t k = (uint64_t)e->col * PKTSEQI_PIECE + t;
        size_t i = n;
        if (!(e->x[e->col % 16] != 0)) continue;  // zero
        for (; i > 0 && key[i - 1] > k; --i) key[i] = key[i - 1];
        key[i] = k;
        ++n;
    }
    return n;
}

// Adds group g of `count` <= 64 packets to the columns of dW_ih: one outer product for the packets
// that share a column. These are the sums of the dense product without its zeros, so packed and
// dense batches give the same bits.
static void pktseqi_packed_columns(const pktseqi_job *job, size_t row, size_t count, size_t g) {
    const pktseqi_working *work = job->work;
    size_t G = work->entries, R = 3 * work->config.hidden, S = work->gate_stride, n;
    size_t O = work->config.out;
    const pktseqi_nonzero *entry = work->entry + row * G;
    const pktseq_real *gate = work->gate + (work->row[work->config.inputs] + row) * S;
    pktseq_real value[PKTSEQI_PIECE];
    pktseqi_row delta[PKTSEQI_PIECE];
    uint64_t key[PKTSEQI_PIECE];
    count = pktseqi_sort_entries(entry, G, g, count, key);
    for (size_t k = 0; k < count; k += n) {
        size_t col = (size_t)(key[k] / PKTSEQI_PIECE);
        pktseq_real *sum = work->column + col * R;
        for (size_t i = 0; i < R && !work->seen[col]; ++i)
            sum[i] = job->overwrite ? 0 : job->to->dec_w_ih[i * O + col];
        work->seen[col] = 1;
        for (n = 0; k + n < count && key[k + n] / PKTSEQI_PIECE == col; ++n) {
            size_t t = (size_t)(key[k + n] % PKTSEQI_PIECE);
            value[n] = entry[t * G + g].x[col % 16];
            delta[n] = gate + t * S;
        }
        work->kernels->rank_update(value, 0, 1, delta, n, 1, R, 1, 0, sum, 0);
    }
}

enum { PKTSEQI_RANGES = 8 };  // of groups: tasks that keep a few threads busy

// Sums dW_ih of the decoder for packed inputs, the columns of one range of groups. Meanwhile they
// are stored transposed, so one entry of a packet is one row of 3H numbers and not 3H cache lines;
// only columns that occur (75 of 490, with 287 packets) are copied there and back. No two ranges
// share a column.
//   was: W_ih x + b_ih     dW_ih += gi x'
static void pktseqi_packed_gradient(const pktseqi_job *job, size_t range) {
    const pktseqi_working *work = job->work;
    const pktseq_group *group = work->packing->group;
    size_t O = work->config.out, R = 3 * work->config.hidden, G = work->entries;
    size_t from = range * G / PKTSEQI_RANGES, past = (range + 1) * G / PKTSEQI_RANGES;
    size_t rows = pktseqi_decoder_row(work, work->steps);
    size_t first, end;
    pktseq_real *w = job->to->dec_w_ih;
    if (from == past) return;
    first = group[from].first;
    end = group[past - 1].first + group[past - 1].count;
    memset(work->seen + first, 0, end - first);
    for (size_t i = 0; i < R && job->overwrite; ++i)
        memset(w + i * O + first, 0, (end - first) * sizeof *w);
    for (size_t i = 0; i < rows; i += PKTSEQI_PIECE)
        for (size_t g = from; g < past; ++g)
            pktseqi_packed_columns(job, i, pktseqi_piece(rows - i), g);
    for (size_t o = first; o < end; ++o)
        for (size_t i = 0; i < R && work->seen[o]; ++i) w[i * O + o] = work->column[o * R + i];
}

// Sums the gradients of at most 64 outputs, from `from` on, over all decoder steps.
//   was: out = W h + b     dW += dout h'     db += dout
static void pktseqi_out_gradient(const pktseqi_job *job, size_t from) {
    const pktseqi_working *work = job->work;
    size_t O = work->config.out, H = work->config.hidden;
    pktseqi_outer_sums(job, work->dout + from, O, pktseqi_piece(O - from),
                       work->after + work->row[work->config.inputs],
                       pktseqi_decoder_row(work, work->steps), H, job->to->out_w + from * H,
                       job->to->out_b + from);
}

// Runs one task of the first loop: a chain, or the gradients of 64 outputs. Those come after the
// chains, so a thread that has finished its chain first takes more of them.
static void pktseqi_backward_task(void *user, size_t task) {
    const pktseqi_job *job = (const pktseqi_job *)user;
    if (task < job->chains) pktseqi_backward_chain(job, task);
    else pktseqi_out_gradient(job, (task - job->chains) * PKTSEQI_PIECE);
}

// Runs one task of the second loop, the gradients of both GRUs: a range of the packed inputs, the
// largest first, or a gate of 64 hidden units of the decoder, then of the encoder.
static void pktseqi_gradient(void *user, size_t task) {
    const pktseqi_job *job = (const pktseqi_job *)user;
    size_t gates = job->gates, gru = task - job->ranges;
    if (task < job->ranges) pktseqi_packed_gradient(job, job->ranges - 1 - task);
    else pktseqi_gru_gradient(job, gru < gates, gru % 3, gru % gates / 3 * PKTSEQI_PIECE);
}

// The halves of a backward pass. Gradients need the deltas, and no weights.
enum { PKTSEQI_DELTAS = 1, PKTSEQI_GRADIENTS = 2 };

// Runs the loops of those halves that job->halves names.
static void pktseqi_backward_pass(void *user, pktseqi_pool *pool) {
    pktseqi_job *job = (pktseqi_job *)user;
    const pktseqi_working *work = job->work;
    size_t outs = job->halves & PKTSEQI_GRADIENTS ? pktseqi_pieces(work->config.out) : 0;
    if (!(job->halves & PKTSEQI_DELTAS)) job->chains = 0;
    // If outputs were fed back, chains complete dout before the gradients of the outputs are
    // summed; else these run beside the chains.
    if (!work->all_forced) {
        pktseqi_pool_tasks(pool, job->chains, pktseqi_backward_task, job);
        job->chains = 0;
    }
    pktseqi_pool_tasks(pool, job->chains + outs, pktseqi_backward_task, job);
    if (!outs) return;
    job->gates = pktseqi_pieces(work->config.hidden) * 3;
    job->ranges = work->entries ? PKTSEQI_RANGES : 0;
    pktseqi_pool_tasks(pool, job->ranges + job->gates * (work->config.inputs ? 2 : 1),
                       pktseqi_gradient, job);
}

// Runs one half of a backward pass, or both.
//   model   (deltas) the model of the forward pass
//   to      (gradients) the sums, times scale, are added to it, or overwrite it: a work's
//           gradients or, with scale = -learning_rate, the parameters themselves
static void pktseqi_backward(int halves, const pktseq_model *model, pktseqi_working *work,
                             pktseq_real scale, int overwrite, const pktseq_tensors *to) {
    pktseqi_job job;
    memset(&job, 0, sizeof job);
    job.halves = halves;
    job.model = model;
    job.to = to;
    job.scale = scale;
    job.overwrite = overwrite;
    pktseqi_work_run(work, pktseqi_backward_pass, &job);
}

PKTSEQ_DEF pktseq_status pktseq_backward(const pktseq_model *model, pktseq_work *work) {
    pktseqi_working *state = work ? work->state : NULL;
    if (!model || !model->block || !state || !state->can_backward) return PKTSEQ_ERROR_ARGUMENT;
    if (!pktseqi_fits(model, work)) return PKTSEQ_ERROR_MISMATCH;
    state->can_backward = 0;
    // A step may skip the gradients in memory only if every sum over packets is a single piece.
    state->pending = state->lazy && !state->entries &&
                     state->row[work->config.inputs] <= PKTSEQI_PIECE &&
                     pktseqi_decoder_row(state, state->steps) <= PKTSEQI_PIECE;
    state->clip = 1;
    pktseqi_backward(state->pending ? PKTSEQI_DELTAS : PKTSEQI_DELTAS | PKTSEQI_GRADIENTS, model,
                     state, 1, state->lazy, &work->grad);
    return PKTSEQ_OK;
}

// ---- >>optimizer: gradients set to zero, clipped, and a step of SGD ----------------------------

PKTSEQI_COLD

// zero_grad, clip_grad_norm and the steps work on the gradients in memory, chunk by chunk. The work
// of a training loop, whose gradients no caller sees, is lazy. It overwrites gradients instead of
// setting them to zero, multiplies them by the clipping factor within the step, and skips the
// encoder's if there is none. If few packets contribute, backward computes the deltas only
// (pending): a step of plain SGD then updates the weights directly, in one pass,
// w -= learning_rate * sum of d x'.

// Sums the gradients that are pending. Every reader of grad_block calls it first.
static void pktseqi_gradients_now(const pktseq_work *work) {
    pktseqi_working *state = work->state;
    if (state->pending) pktseqi_backward(PKTSEQI_GRADIENTS, NULL, state, 1, 1, &work->grad);
    state->pending = 0;
}

PKTSEQ_DEF pktseq_status pktseq_zero_grad(pktseq_work *work) {
    if (!work || !work->grad_block) return PKTSEQ_ERROR_ARGUMENT;
    if (!work->state->lazy)
        memset(work->grad_block, 0, work->parameters * sizeof *work->grad_block);
    return PKTSEQ_OK;
}

// One operation on all parameters, chunk by chunk. Clipping and the step do little arithmetic, so
// the cache limits them: 0.1 ms for 245,000 parameters on one thread.
//   weight     (parameters) or NULL: only scale the gradients
//   velocity   (parameters) or NULL: no momentum
typedef struct pktseqi_update {
    const pktseq_work *work;
    int norm;     // 1: only sum the squares of the gradients
    size_t skip;  // chunks at the front that are skipped
    pktseq_real *weight, *velocity;
    pktseq_real rate, momentum, clip;
} pktseqi_update;

// Runs the operation on one chunk. Chunks do not depend on the number of threads, so the norm does
// not either.
//   norm        squares[task] = sum of g * g
//   clipping    g *= clip
//   SGD         w += rate * clip * g             rate = -learning_rate
//   momentum    v = momentum * v + clip * g, w += rate * v
static void pktseqi_chunk(void *user, size_t task) {
    const pktseqi_update *u = (const pktseqi_update *)user;
    const pktseqi_working *state = u->work->state;
    size_t first = (task + u->skip) * PKTSEQI_CHUNK, n = u->work->parameters - first;
    pktseq_real *grad = u->work->grad_block + first;
    if (n > PKTSEQI_CHUNK) n = PKTSEQI_CHUNK;
    if (u->norm) {
        state->squares[task] = state->kernels->squares(grad, n);
    } else if (u->velocity) {
        state->kernels->momentum(u->momentum, u->clip, grad, u->rate, u->velocity + first,
                                 u->weight + first, n);
    } else {
        if (u->clip < 1) state->kernels->scale(u->clip, grad, n);
        if (u->weight) state->kernels->axpy(u->rate, grad, u->weight + first, n);
    }
}

// Runs the operation on all chunks, with the threads of a training loop; starting threads for this
// alone does not pay. Returns the number of chunks. A lazy work without an encoder skips the chunks
// that belong to the encoder alone: its gradients are zeros, which change no sum and no weight.
// (With the recommended recipe these are 43 % of all chunks.)
static size_t pktseqi_chunks(pktseqi_update *update) {
    const pktseq_work *work = update->work;
    size_t chunks = (work->parameters + PKTSEQI_CHUNK - 1) / PKTSEQI_CHUNK;
    if (work->state->lazy && work->config.inputs == 0)
        update->skip = (size_t)(work->grad.dec_w_ih - work->grad_block) / PKTSEQI_CHUNK;
    pktseqi_pool_tasks(work->state->pool, chunks - update->skip, pktseqi_chunk, update);
    return chunks - update->skip;
}

PKTSEQ_DEF pktseq_status pktseq_clip_grad_norm(pktseq_work *work, double max_norm, double *norm) {
    pktseqi_update update;
    double sum = 0, scale;
    size_t chunks;
    if (!work || !work->grad_block || !(max_norm > 0)) return PKTSEQ_ERROR_ARGUMENT;
    pktseqi_gradients_now(work);
    memset(&update, 0, sizeof update);
    update.work = work;
    // Two passes: no gradient can be scaled before the norm of all is known.
    update.norm = 1;
    chunks = pktseqi_chunks(&update);
    update.norm = 0;
    for (size_t i = 0; i < chunks; ++i) sum += work->state->squares[i];
    if (norm) *norm = sqrt(sum);
    // One gradient that is not finite makes the sum so; nothing has been changed yet.
    if (!pktseqi_finite(&sum)) return PKTSEQ_ERROR_DIVERGED;
    // 1e-6 as in torch.nn.utils.clip_grad_norm_: a norm of 0 is no division by zero.
    scale = max_norm / (sqrt(sum) + 1e-6);
    if (!(scale < 1)) return PKTSEQ_OK;
    update.clip = (pktseq_real)scale;
    if (work->state->lazy) work->state->clip = update.clip;
    else pktseqi_chunks(&update);
    return PKTSEQ_OK;
}

// Takes a step of SGD, with momentum if there is a velocity. The gradients stay in memory: unless
// they are set to zero, the next backward adds to them.
static pktseq_status pktseqi_step_down(pktseq_model *model, const pktseq_work *work,
                                       double learning_rate, double momentum,
                                       pktseq_real *velocity) {
    pktseqi_update update;
    if (!model || !model->block || !work || !work->grad_block) return PKTSEQ_ERROR_ARGUMENT;
    if (!pktseqi_fits(model, work)) return PKTSEQ_ERROR_MISMATCH;
    pktseqi_gradients_now(work);
    memset(&update, 0, sizeof update);
    update.work = work;
    update.clip = work->state->lazy ? work->state->clip : 1;
    update.weight = model->block;
    update.velocity = velocity;
    update.rate = (pktseq_real)-learning_rate;  // kernels add
    update.momentum = (pktseq_real)momentum;
    pktseqi_chunks(&update);
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_sgd_step(pktseq_model *model, const pktseq_work *work,
                                         double learning_rate) {
    pktseqi_working *state = work ? work->state : NULL;
    // Directly from the deltas: the same bits, since every sum is one piece of at most 64 packets.
    // The gradients need no weights, so the weights may change meanwhile.
    if (model && model->block && state && state->pending && pktseqi_fits(model, work)) {
        pktseqi_backward(PKTSEQI_GRADIENTS, NULL, state, (pktseq_real)-learning_rate, 0,
                         &model->tensor);
        state->pending = 0;
        return PKTSEQ_OK;
    }
    return pktseqi_step_down(model, work, learning_rate, 0, NULL);
}

PKTSEQ_DEF pktseq_status pktseq_momentum_step(pktseq_model *model, const pktseq_work *work,
                                              double learning_rate, double momentum,
                                              pktseq_real *velocity) {
    return velocity ? pktseqi_step_down(model, work, learning_rate, momentum, velocity)
                    : PKTSEQ_ERROR_ARGUMENT;
}

// ---- >>train: the loop ------------------------------------------------------------------------

// An iteration consists of the public functions that a caller would use: forward, zero_grad,
// backward, clip_grad_norm, and a step. Around it are the choice of pairs, which depends on seed
// and iteration alone, so that a resumed run continues bit for bit; the reports; and a snapshot of
// the last finite state, to which a run that diverges is rolled back.

PKTSEQ_DEF pktseq_train_config pktseq_train_config_default(void) {
    static const unsigned char milestone[] = {20, 40, 55, 70, 85, 100};
    pktseq_train_config config;
    memset(&config, 0, sizeof config);
    // The reference's settings; the recommended recipe changes nearly all of them.
    config.iterations = 100000;
    config.batch = 1;
    config.learning_rate = 1e-4;
    config.order = PKTSEQ_ORDER_RANDOM;
    config.seed = 1;
    config.report_interval = 100;
    config.loss_interval = 100;
    memcpy(config.milestone, milestone, sizeof milestone);
    config.milestone_count = sizeof milestone;
    return config;
}

// Fails with ARGUMENT if a train config is invalid. Checkpoints are checked in the same way, so a
// run can always be resumed from what it saved.
static pktseq_status pktseqi_train_config_check(const pktseq_train_config *c, pktseq_error *err) {
    if (!c) return pktseqi_bad_argument(err, "config is NULL");
    // NaN is tested for before the bounds: no comparison with it is true.
    if (c->batch == 0) return pktseqi_bad_argument(err, "batch is 0");
    if (c->threads < 0 || c->threads > 1024)
        return pktseqi_bad_argument(err, "threads is not between 0 and 1024");
    if (!pktseqi_finite(&c->learning_rate) || c->learning_rate < 0)
        return pktseqi_bad_argument(err, "learning_rate is negative or not finite");
    if (!pktseqi_finite(&c->momentum) || c->momentum < 0 || c->momentum >= 1)
        return pktseqi_bad_argument(err, "momentum is not from 0 to below 1");
    if (!pktseqi_finite(&c->clip) || c->clip < 0)
        return pktseqi_bad_argument(err, "clip is negative or not finite");
    if (!pktseqi_finite(&c->teacher_forcing) || c->teacher_forcing < 0 || c->teacher_forcing > 1)
        return pktseqi_bad_argument(err, "teacher_forcing is not between 0 and 1");
    if ((int)c->order < 0 || c->order > PKTSEQ_ORDER_FILE)
        return pktseqi_bad_argument(err, "order is unknown");
    // Then iterations * batch, and 100 times either, fit 64 bits.
    if (c->iterations > UINT32_MAX || c->batch > UINT32_MAX / 2 ||
        c->report_interval > UINT32_MAX || c->loss_interval > UINT32_MAX)
        return pktseqi_bad_argument(err, "a number of iterations beyond 2^32, or a batch beyond "
                                         "2^31");
    // Rising and at most 100, so that each milestone is reached exactly once.
    if (c->milestone_count > sizeof c->milestone)
        return pktseqi_bad_argument(err, "too many milestones");
    for (size_t i = 0; i < c->milestone_count; ++i)
        if (c->milestone[i] < 1 || c->milestone[i] > 100 ||
            (i > 0 && c->milestone[i] <= c->milestone[i - 1]))
            return pktseqi_bad_argument(err, "milestones must rise from 1 to 100 percent");
    return PKTSEQ_OK;
}

// Fails with MISMATCH if the dataset was not made for this model: other shapes, or another first
// token, which the weights do not show.
static pktseq_status pktseqi_dataset_match(const pktseq_model *model,
                                           const pktseq_dataset *dataset, pktseq_error *err) {
    if (model->config.in != dataset->in || model->config.out != dataset->out ||
        model->config.inputs != dataset->options.inputs ||
        model->config.start != dataset->options.start)
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0,
                             "the model takes %z input packets of %z features, puts out %z and "
                             "starts from the %s packet; the dataset has %z, %z, %z and %s",
                             model->config.inputs, model->config.in, model->config.out,
                             pktseqi_start_name[model->config.start], dataset->options.inputs,
                             dataset->in, dataset->out,
                             pktseqi_start_name[dataset->options.start]);
    return PKTSEQ_OK;
}

// Returns a 64-bit fingerprint of a dataset: shapes, sequences, the number that is trained on, and
// the bits of every feature, a word at a time (FNV-1a's step).
static uint64_t pktseqi_dataset_hash(const pktseq_dataset *d) {
    const uint64_t prime = 0x100000001b3u;
    // Words, not bytes in memory: the result does not depend on the byte order.
    uint64_t hash = PKTSEQI_FNV_START;
    hash = (hash ^ d->in) * prime;
    hash = (hash ^ d->out) * prime;
    hash = (hash ^ d->options.inputs) * prime;
    hash = (hash ^ (uint64_t)d->options.start) * prime;
    hash = (hash ^ d->trained) * prime;
    for (size_t i = 0; i < d->pairs; ++i) {
        hash = (hash ^ d->first_row[i]) * prime;
        hash = (hash ^ d->length[i]) * prime;
    }
    // Packed and dense datasets of the same packets differ: they cannot be exchanged within a run,
    // although they give the same weights.
    for (size_t i = 0; d->packed && i < d->rows * d->packing.fields; ++i)
        hash = (hash ^ pktseqi_real_bits(&d->packed[i])) * prime;
    // Targets that are the inputs themselves are in memory once, and count once.
    for (int half = 0; !d->packed && half < (d->y == d->x ? 1 : 2); ++half) {
        const pktseq_real *p = half ? d->y : d->x;
        size_t n = d->rows * (half ? d->out : d->in);
        for (size_t i = 0; i < n; ++i) hash = (hash ^ pktseqi_real_bits(&p[i])) * prime;
    }
    return hash;
}

// A training run and its memory. All of it is allocated before the first iteration; only the loss
// history may grow later.
typedef struct pktseqi_run {
    pktseq_model *model;
    const pktseq_dataset *dataset;
    pktseq_train_config config;
    pktseq_training *training;
    pktseq_error *err;
    pktseq_status status;
    pktseq_work work;
    pktseq_pair *pair;       // (B)
    unsigned char *teacher;  // (B)
    size_t *shuffled;        // (pairs) the order of an epoch
    uint64_t epoch;          // the number of that epoch, plus 1; 0 at the start
    pktseq_real *weights;    // (parameters) snapshot: the last weights known to be finite ..
    pktseq_real *velocity;   // (parameters) .. with the velocity, in the same block ..
    pktseq_training state;   // .. and the training state
} pktseqi_run;

// Draws the order of one epoch by the Fisher-Yates shuffle, "inside out". It depends on the seed
// and the epoch's number, not on the epoch before, so a run that is resumed in the middle of an
// epoch draws the same order again.
static void pktseqi_shuffle(pktseqi_run *run, uint64_t epoch) {
    uint64_t state = pktseqi_random_at(run->config.seed, PKTSEQI_FOR_SHUFFLE, epoch);
    for (size_t i = 0; i < run->dataset->trained; ++i) {
        size_t j = pktseqi_random_below(&state, i + 1);
        if (j != i) run->shuffled[i] = run->shuffled[j];
        run->shuffled[j] = i;
    }
    run->epoch = epoch + 1;
}

// Chooses the pairs and the teacher mask of the next iteration. Teacher forcing has its own random
// stream and draws for every sequence, whatever its probability, so it changes no order.
//   random     drawn with replacement, like the reference
//   shuffled   epoch after epoch without a gap: a batch may span the end of one
//   file       the same without the shuffle
static void pktseqi_train_batch(pktseqi_run *run) {
    const pktseq_train_config *config = &run->config;
    size_t iteration = run->training->iteration, trained = run->dataset->trained;
    uint64_t draw = pktseqi_random_at(config->seed, PKTSEQI_FOR_DRAW, iteration);
    uint64_t teach = pktseqi_random_at(config->seed, PKTSEQI_FOR_TEACHER, iteration);
    for (size_t b = 0; b < config->batch; ++b) {
        // Below 2^63: see pktseqi_train_config_check. trained is above 0.
        uint64_t place = (uint64_t)iteration * config->batch + b, epoch = place / trained;
        size_t index = (size_t)(place % trained);
        if (config->order == PKTSEQ_ORDER_RANDOM) index = pktseqi_random_below(&draw, trained);
        if (config->order == PKTSEQ_ORDER_SHUFFLED) {
            if (run->epoch != epoch + 1) pktseqi_shuffle(run, epoch);
            index = run->shuffled[index];
        }
        run->pair[b] = pktseq_dataset_pair(run->dataset, index);
        run->teacher[b] = pktseqi_random_unit(&teach) < config->teacher_forcing;
    }
}

// Returns 1 if all n numbers are finite, by their bits: with -ffast-math a compiler may remove a
// comparison.
static int pktseqi_all_finite(const pktseq_real *from, size_t n) {
    for (size_t i = 0; i < n; ++i)
        if (!pktseqi_finite_real(&from[i])) return 0;
    return 1;
}

// Takes a snapshot of weights, velocity and training state if all numbers are finite. Else returns
// 0 and keeps the previous one. Called at the start, and when a loss is recorded, a milestone is
// reached or the run ends: 0.6 ms for 214,000 parameters with a velocity, by default every 100
// iterations.
static int pktseqi_train_snapshot(pktseqi_run *run) {
    const pktseq_training *training = run->training;
    size_t n = run->model->parameters;
    if (!pktseqi_all_finite(run->model->block, n) ||
        !pktseqi_all_finite(training->velocity, training->parameters))
        return 0;
    memcpy(run->weights, run->model->block, n * sizeof *run->weights);
    if (training->velocity) memcpy(run->velocity, training->velocity, n * sizeof *run->velocity);
    // A copy of the struct: the memory of the loss history stays with training, and only grows.
    run->state = *training;
    return 1;
}

// Restores the last snapshot. Returns DIVERGED, with a sentence that names both iterations. The
// loss history keeps its memory; only its length is restored.
//   what        what is not finite: "the loss is"
//   iteration   its iteration, from 1: the current one, or the last that was counted
static pktseq_status pktseqi_train_rollback(pktseqi_run *run, const char *what,
                                            size_t iteration) {
    pktseq_training *training = run->training, last = *training;
    size_t n = run->model->parameters;
    // The velocity is restored with the weights, since it made them diverge.
    memcpy(run->model->block, run->weights, n * sizeof *run->weights);
    if (training->velocity) memcpy(training->velocity, run->velocity, n * sizeof *run->velocity);
    *training = run->state;
    training->loss = last.loss;  // may have moved since; it still holds the losses of the snapshot
    training->loss_capacity = last.loss_capacity;
    return pktseqi_error(run->err, PKTSEQ_ERROR_DIVERGED, 0,
                         "%s no longer finite at iteration %z; the weights are those of "
                         "iteration %z (a smaller learning rate may help)", what, iteration,
                         training->iteration);
}

// Counts the completed iteration and its loss. Returns its events. All of it depends on the number
// of the iteration and on the training state alone, so a resumed run has the same events.
//   milestone   out: the largest percentage that is reached in this iteration; else unchanged
// The first iteration with at least p percent of all completed reaches milestone p.
static int pktseqi_train_count(pktseqi_run *run, double loss, int *milestone) {
    const pktseq_train_config *config = &run->config;
    pktseq_training *training = run->training;
    size_t done = ++training->iteration, all = config->iterations;
    int events = done == all ? PKTSEQ_EVENT_END : 0;
    // Sums, not running means: a resumed run adds the same numbers in the same order.
    // A report has its own sum, since its interval may differ from the loss history's.
    training->report_sum += loss;
    ++training->report_count;
    if (config->loss_interval) {
        training->loss_sum += loss;
        ++training->loss_sum_count;
    }
    // By the iteration's number: a resumed run reports at the same iterations.
    if (config->report_interval && done % config->report_interval == 0)
        events |= PKTSEQ_EVENT_REPORT;
    // >=: a resumed run may have a shorter interval than the run that counted so far.
    if (config->loss_interval && training->loss_sum_count >= config->loss_interval) {
        // pktseqi_train_loop has made room for one.
        training->loss[training->losses++] = training->loss_sum / (double)training->loss_sum_count;
        training->loss_sum = 0;
        training->loss_sum_count = 0;
        events |= PKTSEQ_EVENT_LOSS;
    }
    // In integers, so that no rounding moves a milestone: iterations are below 2^32.
    for (size_t i = 0; i < config->milestone_count; ++i) {
        uint64_t due = (uint64_t)config->milestone[i] * all;  // when: in hundredths of an iteration
        if ((uint64_t)done * 100 >= due && ((uint64_t)done - 1) * 100 < due) {
            *milestone = config->milestone[i];
            events |= PKTSEQ_EVENT_MILESTONE;
        }
    }
    return events;
}

// Allocates a velocity of zeros if there is momentum. A resumed run has its own, and keeps it even
// if momentum is now 0, so that momentum can be used again later.
static pktseq_status pktseqi_train_velocity(pktseqi_run *run) {
    pktseq_training *training = run->training;
    size_t parameters = run->model->parameters;
    if (training->velocity && training->iteration == 0) {  // left by a call that failed
        pktseqi_free(&training->allocator, training->velocity);
        training->velocity = NULL;
        training->parameters = 0;
    }
    if (training->velocity && training->parameters != parameters)
        return pktseqi_error(run->err, PKTSEQ_ERROR_MISMATCH, 0,
                             "the training state is that of a model of %z parameters, not %z",
                             training->parameters, parameters);
    if (run->config.momentum > 0 && !training->velocity) {
        training->velocity = (pktseq_real *)pktseqi_alloc_zeroed(
            &training->allocator, parameters, sizeof *training->velocity);
        if (!training->velocity) return pktseqi_no_memory(run->err);
        training->parameters = parameters;
    }
    return PKTSEQ_OK;
}

// Allocates all memory of the loop, so that no iteration allocates anything but room for losses. On
// failure the caller frees what was allocated.
static pktseq_status pktseqi_run_init(pktseqi_run *run) {
    const pktseq_allocator *allocator = &run->model->allocator;
    const pktseq_train_config *config = &run->config;
    pktseq_training *training = run->training;
    pktseq_status status = pktseq_work_init(&run->work, &run->model->config, config->batch,
                                            run->dataset->longest, config->threads, allocator,
                                            run->err);
    if (status) return status;
    // No caller sees the gradients of this work: see >>optimizer.
    run->work.state->lazy = 1;
    run->pair = (pktseq_pair *)pktseqi_alloc(allocator, config->batch, sizeof *run->pair);
    run->teacher = (unsigned char *)pktseqi_alloc(allocator, config->batch, 1);
    run->weights = (pktseq_real *)pktseqi_alloc(allocator, run->model->parameters,
                                                2 * sizeof *run->weights);
    run->shuffled = (size_t *)pktseqi_alloc(allocator, run->dataset->trained,
                                            sizeof *run->shuffled);
    if (!run->pair || !run->teacher || !run->weights || !run->shuffled)
        return pktseqi_no_memory(run->err);
    // Without momentum the second half is never touched, and most systems give it no pages.
    run->velocity = run->weights + run->model->parameters;
    // Memory that training already owns is freed by the allocator that it came from.
    if (!training->loss && !training->velocity) training->allocator = *allocator;
    return pktseqi_train_velocity(run);
}

// Frees what pktseqi_run_init allocated, even if it failed half way.
static void pktseqi_run_free(pktseqi_run *run) {
    const pktseq_allocator *allocator = &run->model->allocator;
    pktseq_work_free(&run->work);
    pktseqi_free(allocator, run->pair);
    pktseqi_free(allocator, run->teacher);
    pktseqi_free(allocator, run->shuffled);
    pktseqi_free(allocator, run->weights);
}

// Runs one iteration, from forward to the new weights, by the public functions in the order in
// which any training loop calls them. The loss and, with clipping, the norm of the gradient are
// checked before the weights change.
static pktseq_status pktseqi_train_step(pktseqi_run *run) {
    const pktseq_train_config *config = &run->config;
    pktseq_model *model = run->model;
    pktseq_work *work = &run->work;
    pktseq_real *velocity = run->training->velocity;
    pktseq_status status = pktseq_forward(model, work, run->pair, config->batch, run->teacher);
    if (status)
        return pktseqi_error(run->err, status, 0, "forward: %s", pktseq_status_text(status));
    // A loss that is not finite has no useful gradient.
    if (!pktseqi_finite(&work->loss))
        return pktseqi_train_rollback(run, "the loss is", run->training->iteration + 1);
    // Neither can fail: every pair of a dataset has a target, and forward has just run.
    pktseq_zero_grad(work);
    pktseq_backward(model, work);
    if (config->clip > 0 && pktseq_clip_grad_norm(work, config->clip, NULL))
        return pktseqi_train_rollback(run, "the gradient is", run->training->iteration + 1);
    // Neither can fail: work was made for this model.
    return velocity ? pktseq_momentum_step(model, work, config->learning_rate, config->momentum,
                                           velocity)
                    : pktseq_sgd_step(model, work, config->learning_rate);
}

// Counts the completed iteration and reports it to the callback, which may save the model. A report
// has the mean over the iterations since the last one. Its sums are cleared before the callback
// runs, so that a checkpoint saved there starts the next report.
static pktseq_status pktseqi_train_report(pktseqi_run *run) {
    const pktseq_train_config *config = &run->config;
    pktseq_training *training = run->training;
    pktseq_progress progress;
    int stop;
    memset(&progress, 0, sizeof progress);
    progress.iterations = config->iterations;
    progress.model = run->model;
    progress.training = training;
    progress.loss = run->work.report;
    // The loss per packet, which does not depend on the lengths of the sequences.
    progress.events = pktseqi_train_count(run, progress.loss, &progress.milestone);
    progress.iteration = training->iteration;
    progress.mean_loss = training->report_sum / (double)training->report_count;
    if (progress.events & PKTSEQ_EVENT_REPORT) {
        training->report_sum = 0;
        training->report_count = 0;
    }
    // Not at every report: a program may report each iteration.
    if ((progress.events & ~PKTSEQ_EVENT_REPORT) && !pktseqi_train_snapshot(run))
        return pktseqi_train_rollback(run, "the weights are", training->iteration);
    // A run that is stopped can be resumed from its last iteration, if that is finite.
    stop = config->progress && config->progress(config->user_data, &progress);
    if (!stop) return PKTSEQ_OK;
    return pktseqi_train_snapshot(run)
               ? pktseqi_error(run->err, PKTSEQ_STOPPED, 0, "stopped after iteration %z",
                               training->iteration)
               : pktseqi_train_rollback(run, "the weights are", training->iteration);
}

// Runs the loop on the caller's thread, after everything has been checked and allocated. The other
// threads run tasks of the pool; without a pool there is one thread.
static void pktseqi_train_loop(void *user, pktseqi_pool *pool) {
    pktseqi_run *run = (pktseqi_run *)user;
    pktseq_training *training = run->training;
    // The pool lives as long as the loop: threads are started once, not once a pass.
    run->work.state->pool = pool;
    if (!pool) run->work.state->threads = 1;
    while (!run->status && training->iteration < run->config.iterations) {
        // Room for one more loss is made before the iteration, so that none is half done without
        // memory.
        if (training->losses == training->loss_capacity &&
            !pktseqi_grow(&training->allocator, &training->loss, &training->loss_capacity,
                          training->losses, 1024, sizeof *training->loss)) {
            run->status = pktseqi_no_memory(run->err);
            return;
        }
        pktseqi_train_batch(run);
        run->status = pktseqi_train_step(run);
        if (!run->status) run->status = pktseqi_train_report(run);
    }
}

// Records data and settings in training, so that a resumed run refuses other data and a program can
// rebuild the dataset. Then runs the loop with its threads; batches of a few sequences need one.
static pktseq_status pktseqi_train_run(pktseqi_run *run, uint64_t hash) {
    pktseq_training *training = run->training;
    training->data_hash = hash;
    training->drop_last = run->dataset->options.drop_last != 0;
    training->hold_out = run->dataset->options.hold_out;
    training->config = run->config;
    training->config.progress = NULL;
    training->config.user_data = NULL;
    // With fewer iterations than are completed none is run; a checkpoint must still be valid.
    if (training->config.iterations < training->iteration)
        training->config.iterations = training->iteration;
    if (!pktseqi_train_snapshot(run))
        return pktseqi_error(run->err, PKTSEQ_ERROR_DIVERGED, 0,
                             "the model has weights that are not finite before training");
    pktseqi_pool_run(run->config.batch < PKTSEQI_FEW ? 1 : run->work.threads, pktseqi_train_loop,
                     run);
    return run->status ? run->status : pktseqi_ok(run->err);
}

PKTSEQ_DEF pktseq_status pktseq_train(pktseq_model *model, const pktseq_dataset *dataset,
                                      const pktseq_train_config *config,
                                      pktseq_training *training, pktseq_error *err) {
    pktseqi_run run;
    pktseq_status status = pktseqi_train_config_check(config, err);
    uint64_t hash;
    if (status) return status;
    if (!model || !model->block || !dataset || !dataset->trained || !training)
        return pktseqi_bad_argument(err, "model, dataset or training is NULL or empty");
    // All checks precede any allocation or change. The hash reads all features once.
    status = pktseqi_dataset_match(model, dataset, err);
    if (status) return status;
    hash = pktseqi_dataset_hash(dataset);
    // The same random numbers would draw from other data without any sign of it.
    if (training->iteration > 0 && training->data_hash != hash)
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0,
                             "the data are not those that the first %z iterations were trained on",
                             training->iteration);
    memset(&run, 0, sizeof run);
    run.model = model;
    run.dataset = dataset;
    run.config = *config;  // a copy: config may be &training->config, which is written
    run.training = training;
    run.err = err;
    status = pktseqi_run_init(&run);
    if (status == PKTSEQ_OK) status = pktseqi_train_run(&run, hash);
    pktseqi_run_free(&run);
    return status;
}

PKTSEQ_DEF void pktseq_training_free(pktseq_training *training) {
    if (!training) return;
    pktseqi_free(&training->allocator, training->loss);
    pktseqi_free(&training->allocator, training->velocity);
    memset(training, 0, sizeof *training);
}

// ---- >>use: rollout and score -----------------------------------------------------------------

// Both run one free-running forward pass over one pair: from the second target packet on, the
// decoder's tokens are its own outputs, as in the reference's evaluation. pktseq_score equals the
// score of an RMS detector without options (see >>score), for comparison with the reference.

PKTSEQ_DEF pktseq_status pktseq_rollout(const pktseq_model *model, pktseq_work *work,
                                        const pktseq_pair *pair, size_t steps, pktseq_real *out) {
    pktseq_pair ahead;
    pktseq_status status;
    if (!pair || !out) return PKTSEQ_ERROR_ARGUMENT;
    ahead = *pair;
    ahead.target = ahead.packed_target = NULL;
    ahead.targets = steps;  // forward fails if work has no room for so many
    status = pktseq_forward(model, work, &ahead, 1, NULL);
    // With one pair in the batch, row t of out is target step t.
    if (status == PKTSEQ_OK) memcpy(out, work->state->out, steps * work->config.out * sizeof *out);
    return status;
}

PKTSEQ_DEF pktseq_status pktseq_score(const pktseq_model *model, pktseq_work *work,
                                      const pktseq_pair *pair, double *score) {
    pktseq_status status;
    size_t O;
    if (!pair || !pktseqi_has_target(pair) || !score) return PKTSEQ_ERROR_ARGUMENT;
    status = pktseq_forward(model, work, pair, 1, NULL);
    if (status) return status;
    O = work->config.out;
    *score = 0;
    // The mean of the packets' roots: a single packet with a large error weighs less than in the
    // root of the mean over all packets. With one pair in the batch, row t of out is target step t.
    for (size_t t = 0; t < pair->targets; ++t) {
        pktseqi_truth truth = pktseqi_truth_in(pair, t, O);
        *score += sqrt(pktseqi_squared_error(model, work->state->out + t * O, &truth) / (double)O);
    }
    *score /= (double)pair->targets;
    return PKTSEQ_OK;
}

// ---- >>evaluate: quantiles, and how well scores rank ------------------------------------------

// A quantile of normal scores is a threshold. An evaluation needs none: it shows how well scores
// rank sequences of known kind. Both sort a copy of their input.

// Compares two numbers, none of them NaN, for qsort.
static int pktseqi_compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Returns the quantile q of sorted values, interpolated linearly between the two around rank
// q (n - 1), like numpy's default (Hyndman and Fan 1996, definition 7).
static double pktseqi_quantile_sorted(const double *value, size_t n, double q) {
    double rank = q * (double)(n - 1), low = floor(rank);  // exact below 2^53 values
    size_t i = (size_t)low;
    double step;
    if (i + 1 >= n) return value[n - 1];  // q = 1, or rounded up to it
    step = value[i + 1] - value[i];
    // The difference of huge values overflows. This form does not, but is not exact where both are
    // equal.
    if (!pktseqi_finite(&step)) return value[i] * (1 - (rank - low)) + value[i + 1] * (rank - low);
    return value[i] + (rank - low) * step;
}

PKTSEQ_DEF pktseq_status pktseq_quantile(const double *value, size_t count, double q,
                                         double *quantile, const pktseq_allocator *allocator,
                                         pktseq_error *err) {
    pktseq_allocator own = pktseqi_allocator(allocator);
    double *sorted;
    if (!value || !quantile || count == 0 || !pktseqi_finite(&q) || q < 0 || q > 1)
        return pktseqi_bad_argument(err, "no values, or q is not a share from 0 to 1");
    // NaN has no place in an order, so qsort would be undefined.
    for (size_t i = 0; i < count; ++i)
        if (!pktseqi_finite(&value[i])) return pktseqi_bad_argument(err, "a value is not finite");
    sorted = (double *)pktseqi_alloc(&own, count, sizeof *sorted);
    if (!sorted) return pktseqi_no_memory(err);
    memcpy(sorted, value, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, pktseqi_compare_numbers);
    *quantile = pktseqi_quantile_sorted(sorted, count, q);
    pktseqi_free(&own, sorted);
    return pktseqi_ok(err);
}

// A score, and 1 if its sequence is anomalous, else 0.
typedef struct pktseqi_ranked {
    double score;
    int anomalous;
} pktseqi_ranked;

// Compares for qsort, the highest score first: each prefix then holds the scores above a threshold.
// Equal scores need no order, since they are counted together.
static int pktseqi_compare_ranked(const void *a, const void *b) {
    double x = ((const pktseqi_ranked *)a)->score, y = ((const pktseqi_ranked *)b)->score;
    return (x < y) - (x > y);
}

// Computes the figures of an evaluation in one pass, while the threshold falls. All sequences of
// one score pass it together, so ties are counted exactly:
//   auc += normal gained * (anomalous before + half of those gained)
//   average precision += recall gained * precision after
// There is no grid of thresholds: the figures are exact but for rounding. Half a point for a tie is
// the trapezoid between two points of the ROC curve (Fawcett 2006, "An introduction to ROC
// analysis", Pattern Recognition Letters 27); average precision is scikit-learn's sum, without
// interpolation.
static void pktseqi_evaluate_sorted(const pktseqi_ranked *ranked, size_t count,
                                    pktseq_evaluation *e) {
    double normal = (double)e->normal, anomalous = (double)e->anomalous;
    // Sums of integers below 2^53, so tp and fp are exact.
    double tp = 0, fp = 0;  // true and false positives above the threshold
    for (size_t i = 0, next; i < count; i = next) {
        double tp_gained = 0;
        // All sequences of one score, [i, next), are gained together.
        for (next = i; next < count && ranked[next].score == ranked[i].score; ++next)
            tp_gained += ranked[next].anomalous;
        e->auc += ((double)(next - i) - tp_gained) * (tp + tp_gained / 2) / (normal * anomalous);
        tp += tp_gained;
        fp = (double)next - tp;
        e->average_precision += tp_gained / anomalous * (tp / (double)next);
        // The lowest threshold that keeps the rate counts, so later ones overwrite.
        if (fp <= 0.01 * normal) e->tpr_at_1_percent = tp / anomalous;
        if (fp <= 0.001 * normal) e->tpr_at_0_1_percent = tp / anomalous;
    }
}

PKTSEQ_DEF pktseq_status pktseq_evaluate(const double *score, const unsigned char *anomalous,
                                         size_t count, pktseq_evaluation *evaluation,
                                         const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_allocator own = pktseqi_allocator(allocator);
    pktseq_evaluation e;
    pktseqi_ranked *ranked;
    memset(&e, 0, sizeof e);
    if (!score || !anomalous || !evaluation || count == 0)
        return pktseqi_bad_argument(err, "score, anomalous or evaluation is NULL, or count is 0");
    for (size_t i = 0; i < count; ++i) {
        if (!pktseqi_finite(&score[i])) return pktseqi_bad_argument(err, "a score is not finite");
        e.anomalous += anomalous[i] != 0;
    }
    e.normal = count - e.anomalous;
    // With one kind alone the rate of false or of true alarms is undefined.
    if (e.normal == 0 || e.anomalous == 0)
        return pktseqi_error(err, PKTSEQ_ERROR_DATA, 0,
                             "all %z sequences are %s, so there is no ranking to evaluate", count,
                             e.normal ? "normal" : "anomalous");
    // Scores and labels are sorted together: 16 bytes a sequence.
    ranked = (pktseqi_ranked *)pktseqi_alloc(&own, count, sizeof *ranked);
    if (!ranked) return pktseqi_no_memory(err);
    for (size_t i = 0; i < count; ++i) {
        ranked[i].score = score[i];
        ranked[i].anomalous = anomalous[i] != 0;
    }
    qsort(ranked, count, sizeof *ranked, pktseqi_compare_ranked);
    pktseqi_evaluate_sorted(ranked, count, &e);
    pktseqi_free(&own, ranked);
    *evaluation = e;  // last, so a failure leaves the caller's struct unchanged
    return pktseqi_ok(err);
}

// ---- >>detector: what turns forecasts into scores ---------------------------------------------

// From forecasts to alarms, in six sections. T target packets, G groups of outputs, C fields of the
// context:
//
//     out[t] y[t]  network_score --.                      .-- / length_scale  --> score
//       (O)  (O)                   +-- means over T, -----+
//     c[t]         context_score --'   scaled, added      '-- / running_scale --> running score
//     (C)
//
//   >>detector   holds the caller's options and what >>fit has learned
//   >>score      A packet's score has two parts: how far the network's forecast is off
//                (network_score), and how unusual the counters of its pair and source are
//                (context_score). Both are summed over a sequence's packets (pktseqi_sums), divided
//                by their number, scaled and added (sums_mean), and made relative to normal
//                sequences of that length (sums_value). Whole files, single pairs and streams all
//                end in these functions and sum packet by packet, so they agree to the bit.
//   >>reasons    finds the columns that raised a score most
//   >>threshold  turns a distribution of normal scores into a threshold for any false-positive rate
//   >>fit        learns from normal traffic; each step uses the scores of the steps before: errors
//                and context, scales, scales by length, distribution, threshold
//   >>drift      compares later scores with that distribution

enum { PKTSEQI_LENGTHS = 4 };  // classes of length of whole sequences: up to 4, 8, 16, or more

PKTSEQ_DEF pktseq_detector_options pktseq_detector_options_recommended(const pktseq_codec *codec,
                                                                       double *weight) {
    pktseq_detector_options options;
    int token = 0;
    memset(&options, 0, sizeof options);
    // One step ahead, one surprising packet does not spoil the forecasts of all later ones, as it
    // does when the decoder is fed its own forecasts.
    options.measure = PKTSEQ_MEASURE_SURPRISAL;
    options.one_step_ahead = 1;
    options.by_length = 1;
    if (!codec || !weight) return options;
    // Measured from 0.5 to 0.75 on the labelled recording: 0.75 finds 1 % more of all attacks, but
    // loses all that only the network sees (two uploads in one connection).
    if (codec->contexts) options.context = 0.65;
    // The token assigns a packet to one of some 400 categories. The network's other columns would
    // only add what varies in normal traffic anyway: time and direction.
    for (size_t g = 0; g < codec->groups; ++g) {
        weight[g] = strcmp(codec->field[codec->group_field[g]].column, "token") == 0;
        token |= weight[g] > 0;
    }
    // a caller's own schema may have no token: then every column has the same weight
    for (size_t g = 0; g < codec->groups && !token; ++g) weight[g] = 1;
    options.weight = weight;
    return options;
}

// Checks options, which come from the caller and may be uninitialized: an enumeration may hold any
// int. Reports the first fault.
static pktseq_status pktseqi_detector_check(const pktseq_model *model, size_t contexts,
                                            const pktseq_detector_options *o, pktseq_error *err) {
    const char *wrong = NULL;
    if (!model || !model->block)
        wrong = "model is NULL or empty";
    else if ((int)o->measure < 0 || o->measure > PKTSEQ_MEASURE_SURPRISAL)
        wrong = "the measure is unknown";
    else if (o->measure == PKTSEQ_MEASURE_SURPRISAL && model->config.loss != PKTSEQ_LOSS_NLL)
        wrong = "surprisal needs a model that was trained by likelihood";
    else if (!pktseqi_share_below_one(&o->context))
        wrong = "context is not a share from 0 to below 1";
    else if (o->context > 0 && contexts == 0)
        wrong = "the context has a share of the score, but there is none";
    else if (!(o->false_positive_rate <= 1))  // true of NaN
        wrong = "false_positive_rate is above 1, or not a number";
    for (size_t g = 0; !wrong && o->weight && g < model->config.groups; ++g)
        if (!pktseqi_finite(&o->weight[g]) || o->weight[g] < 0)
            wrong = "a weight is negative or not finite";
    return wrong ? pktseqi_bad_argument(err, wrong) : PKTSEQ_OK;
}

// Returns how many numbers a detector's arrays hold. contexts is at most PKTSEQ_MAX_CONTEXTS, so
// its square does not wrap.
static size_t pktseqi_detector_numbers(const pktseq_detector *d) {
    return pktseqi_plus(d->groups, pktseqi_plus(d->out, d->contexts + d->contexts * d->contexts));
}

// Allocates the arrays of a detector as one zeroed block. out, groups and contexts are set.
static pktseq_status pktseqi_detector_alloc(pktseq_detector *d, pktseq_error *err) {
    if (d->contexts > PKTSEQ_MAX_CONTEXTS)
        return pktseqi_bad_argument(err, "more than 256 fields of the context");
    d->memory = (double *)pktseqi_alloc_zeroed(&d->allocator, pktseqi_detector_numbers(d),
                                               sizeof *d->memory);
    if (!d->memory) return pktseqi_no_memory(err);
    d->weight = d->memory;
    d->error = d->weight + d->groups;
    d->mean = d->error + d->out;
    d->precision = d->mean + d->contexts;
    return PKTSEQ_OK;
}

// Before fit every scale is 1 and every threshold out of reach: scores are then the reference's
// or, with SURPRISAL, nats per packet.
PKTSEQ_DEF pktseq_status pktseq_detector_init(pktseq_detector *detector, const pktseq_model *model,
                                              size_t contexts,
                                              const pktseq_detector_options *options,
                                              const pktseq_allocator *allocator,
                                              pktseq_error *err) {
    pktseq_detector_options o;
    pktseq_status status;
    if (!detector) return pktseqi_bad_argument(err, "detector is NULL");
    memset(detector, 0, sizeof *detector);
    memset(&o, 0, sizeof o);
    if (options) o = *options;
    status = pktseqi_detector_check(model, contexts, &o, err);
    if (status) return status;
    if (o.false_positive_rate == 0) o.false_positive_rate = 0.01;
    if (o.false_positive_rate < 0) o.false_positive_rate = 0;
    detector->options = o;
    detector->options.weight = NULL;  // the caller's; the copy is detector->weight
    detector->out = model->config.out;
    detector->groups = model->config.groups;
    detector->contexts = contexts;
    detector->allocator = pktseqi_allocator(allocator);
    status = pktseqi_detector_alloc(detector, err);
    if (status) {
        memset(detector, 0, sizeof *detector);
        return status;
    }
    for (size_t g = 0; g < detector->groups; ++g)
        detector->weight[g] = o.weight ? o.weight[g] : 1;
    for (size_t k = 0; k < detector->out; ++k) detector->error[k] = 1;
    // the identity: before fit the Mahalanobis distance is the Euclidean one
    for (size_t c = 0; c < contexts; ++c) detector->precision[c * contexts + c] = 1;
    detector->scale[0] = 1 - o.context;  // of the network, of the context
    detector->scale[1] = o.context;
    for (int k = 0; k < PKTSEQI_LENGTHS; ++k) detector->length_scale[k] = 1;
    for (int k = 0; k < PKTSEQ_RUNNING; ++k) detector->running_scale[k] = 1;
    detector->running_threshold = DBL_MAX;
    detector->threshold = detector->threshold_high = DBL_MAX;
    detector->threshold_low = -DBL_MAX;
    return pktseqi_ok(err);
}

PKTSEQ_DEF void pktseq_detector_free(pktseq_detector *detector) {
    if (!detector) return;
    pktseqi_free(&detector->allocator, detector->memory);
    memset(detector, 0, sizeof *detector);
}

// Returns 1 if a detector's sizes are those of the model. Another model of the same sizes is not
// noticed: its scores are then meaningless.
static int pktseqi_detector_fits(const pktseq_detector *d, const pktseq_model *model) {
    // options may be edited after init, so the measure is checked at every use
    return d->out == model->config.out && d->groups == model->config.groups &&
           (d->options.measure != PKTSEQ_MEASURE_SURPRISAL ||
            model->config.loss == PKTSEQ_LOSS_NLL);
}

// ---- >>score: of a packet, a sequence, a whole data set ---------------------------------------

// All arithmetic here is in double, whatever PKTSEQ_REAL is: float sums over 320 packets would lose
// the digits that rank close scores. Outputs and targets are read as pktseq_real.

// ---- the score of a packet

// Returns the surprisal of one group of y, in nats. Two caps keep one packet from deciding
// everything: a probability counts as 1e-6 at least, 13.8 nats (an unknown class as exactly
// that), and a number's likelihood is Student's t with 3 degrees of freedom, whose tails are
// heavier than a Gaussian's, so it grows as a logarithm and not as a square.
//   number   2 log(1 + (out - y)^2 / (3 error))        flag, class   -log max(p(y), 1e-6)
#define PKTSEQI_MIN_PROBABILITY 1e-6
static double pktseqi_group_surprisal(const pktseq_group *group, size_t g, const double *error,
                                      const pktseq_real *out, const pktseqi_truth *truth) {
    double p = 0, y;
    out += group->first;  // error is indexed by outputs of the model, out by those of the group
    if (group->kind == PKTSEQ_GROUP_CLASS && truth->packing) {
        size_t hot = pktseqi_truth_hot(truth, group, g);
        p = hot < group->count ? (double)out[hot] : 0;
    } else if (group->kind == PKTSEQ_GROUP_CLASS) {
        // a caller's own dense features may be a mixture of classes
        for (size_t i = 0; i < group->count; ++i)
            p += (double)out[i] * (double)pktseqi_truth_at(truth, group, g, i);
    } else {
        y = (double)pktseqi_truth_at(truth, group, g, 0);
        if (group->kind == PKTSEQ_GROUP_NUMBER) {
            double e = (double)out[0] - y;  // no constant term: a perfect forecast scores 0
            return 2 * log(1 + e * e / (3 * error[group->first]));
        }
        p = (double)(y >= 0.5 ? out[0] : 1 - out[0]);  // out: the probability that it is set
    }
    return pktseqi_surprisal((double)(pktseq_real)p, PKTSEQI_MIN_PROBABILITY);
}

// Returns the network's score of one packet.
//   RMS         sqrt(mean over O of weight * (out - y)^2)
//   SURPRISAL   sum over groups of weight * surprisal
//   part (groups), or NULL: out, each group's part of it; a root is divided in the proportion of
//        the terms under it
// The sum runs over outputs, not over groups: that order is part of the scores' bits, which must be
// the same for a file, a pair and a stream. With weight 0 a group's logarithm is not computed.
static double pktseqi_network_score(const pktseq_detector *d, const pktseq_group *group,
                                    const pktseq_real *out, const pktseqi_truth *truth,
                                    double *part) {
    int rms = d->options.measure == PKTSEQ_MEASURE_RMS;
    double sum = 0, root;
    // a part is the difference of two sums, so the sum is the same with and without parts
    for (size_t g = 0; g < d->groups; ++g) {
        double before = sum;
        for (size_t i = 0; rms && i < group[g].count; ++i) {
            double e = (double)out[group[g].first + i] -
                       (double)pktseqi_truth_at(truth, &group[g], g, i);
            sum += d->weight[g] * (e * e);
        }
        if (!rms && d->weight[g] > 0)
            sum += d->weight[g] * pktseqi_group_surprisal(&group[g], g, d->error, out, truth);
        if (part) part[g] = sum - before;
    }
    if (!rms) return sum;
    root = sqrt(sum / (double)d->out);  // over all O, whatever the weights: as in the reference
    for (size_t g = 0; part && g < d->groups; ++g) part[g] = sum > 0 ? part[g] / sum * root : 0;
    return root;
}

// Returns how far the context of one packet is from normal ones: log(1 + m), m the squared
// Mahalanobis distance (c - mean)' precision (c - mean). The logarithm keeps a flood, m = 10^6, at
// 14, about the size of an impossible token.   source: Mahalanobis 1936, Proc. Natl. Inst. Sci.
// India 2(1)
//   part (C), or NULL: out, divided in the proportion of the terms of m; one may be negative
static double pktseqi_context_score(const pktseq_detector *d, const pktseq_real *c, double *part) {
    double m = 0, score;
    // m is the sum over i of (c - mean)[i] * (precision (c - mean))[i], C^2 products: 12 x 12 with
    // the recommended codec
    for (size_t i = 0; i < d->contexts; ++i) {
        double row = 0, term;
        for (size_t j = 0; j < d->contexts; ++j)
            row += d->precision[i * d->contexts + j] * ((double)c[j] - d->mean[j]);
        term = row * ((double)c[i] - d->mean[i]);
        if (part) part[i] = term;
        m += term;
    }
    score = m < 0 ? 0 : log(1 + m);  // below 0 only by rounding: precision is positive definite
    for (size_t i = 0; part && i < d->contexts; ++i) part[i] = m > 0 ? part[i] / m * score : 0;
    return score;
}

// ---- the score of a sequence

// A mean over packets, not a sum: long sequences are no more suspicious than short ones. But the
// mean of few packets varies more, and the first packets of a connection are the hardest to
// forecast. Divided by what is high for normal sequences of about that length, one threshold fits
// all (our recording, up to 4, 8, 16 packets and more: 5.3, 5.7, 5.5, 4.9; while they are open,
// from 4 to 512 packets: 5.6 falling to 3.7).

// Sums over the scored packets of a sequence, all but the first N, the model's inputs. They are
// kept instead of scores where more packets may come, or where scales are fitted later.
typedef struct pktseqi_sums {
    double network, context;
    size_t packets;  // of the sequence so far, those N included; 0 = not there
} pktseqi_sums;

// Returns the class of length of a sequence of this many packets: up to 4, 8, 16 .. packets, or the
// last class for all longer ones.
//   classes   PKTSEQI_LENGTHS for scores of whole sequences, PKTSEQ_RUNNING for running ones
static int pktseqi_length_class(size_t packets, int classes) {
    int k = 0;
    while (k + 1 < classes && packets > (size_t)4 << k) ++k;  // at most 4 << 6: no overflow
    return k;
}

// Returns 1 if a sequence of this many packets has a running score: at powers of two, so that a
// sequence has few chances to pass the threshold by accident (8 up to 512 packets), and each class
// of length has one.
static int pktseqi_running_now(size_t packets) {
    return packets >= 4 && (packets & (packets - 1)) == 0;  // one bit set: a power of two
}

// Returns the mean score of the packets, whatever their number.
static double pktseqi_sums_mean(const pktseq_detector *d, size_t inputs, const pktseqi_sums *s) {
    double targets = (double)(s->packets - inputs);
    double value = s->network / targets;  // without a context not scaled: the reference's score
    if (d->options.context > 0)
        value = d->scale[0] * value + d->scale[1] * (s->context / targets);
    return value;
}

// Returns the running score of a sequence that holds these packets so far.
static double pktseqi_sums_running(const pktseq_detector *d, size_t inputs, const pktseqi_sums *s) {
    return pktseqi_sums_mean(d, inputs, s) /
           d->running_scale[pktseqi_length_class(s->packets, PKTSEQ_RUNNING)];
}

// Returns the score of a sequence that ends with these packets. Every way of scoring ends here.
static double pktseqi_sums_value(const pktseq_detector *d, size_t inputs, const pktseqi_sums *s) {
    double value = pktseqi_sums_mean(d, inputs, s);
    if (d->options.by_length)
        value /= d->length_scale[pktseqi_length_class(s->packets, PKTSEQI_LENGTHS)];
    return value;
}

// Checks a batch of pairs and runs it forward as the detector's options require.
static pktseq_status pktseqi_detector_forward(const pktseq_detector *d, const pktseq_model *model,
                                              pktseq_work *work, const pktseq_pair *pair,
                                              size_t count) {
    if (!d || !d->memory || !model || !pair || count == 0) return PKTSEQ_ERROR_ARGUMENT;
    if (!pktseqi_detector_fits(d, model)) return PKTSEQ_ERROR_MISMATCH;
    // forward itself accepts pairs without targets: a rollout has none
    for (size_t i = 0; i < count; ++i)
        if (!pktseqi_has_target(&pair[i]) || (d->options.context > 0 && !pair[i].context))
            return PKTSEQ_ERROR_ARGUMENT;
    return pktseqi_forward(model, work, pair, count, NULL, d->options.one_step_ahead);
}

// Returns the sums over the packets of one pair of the last forward.
//   index     of the pair in that batch: work knows where sorting has put it
//   running   (PKTSEQ_RUNNING) zeros, or NULL: out, for each class of length the sums at its
//             running score. Of the last class, 512 packets and more, the last one remains
//   part      (T, groups + C) zeros, or NULL: out, what each group and field of the context adds
static pktseqi_sums pktseqi_pair_sums(const pktseq_detector *d, const pktseq_model *model,
                                      const pktseq_work *work, const pktseq_pair *pair,
                                      size_t index, pktseqi_sums *running, double *part) {
    pktseqi_sums sums = {0, 0, 0};
    for (size_t t = 0; t < pair->targets; ++t) {
        pktseqi_truth truth = pktseqi_truth_in(pair, t, d->out);
        double *parts = part ? part + t * (d->groups + d->contexts) : NULL;
        sums.network += pktseqi_network_score(d, model->config.group,
                                              pktseq_work_output(work, index, t), &truth, parts);
        if (d->options.context > 0)
            sums.context += pktseqi_context_score(d, pair->context + t * d->contexts,
                                                  parts ? parts + d->groups : NULL);
        sums.packets = pair->inputs + t + 1;
        if (running && pktseqi_running_now(sums.packets))
            running[pktseqi_length_class(sums.packets, PKTSEQ_RUNNING)] = sums;
    }
    return sums;
}

PKTSEQ_DEF pktseq_status pktseq_detector_score(const pktseq_detector *detector,
                                               const pktseq_model *model, pktseq_work *work,
                                               const pktseq_pair *pair, size_t count,
                                               double *score) {
    pktseq_status status;
    if (!score) return PKTSEQ_ERROR_ARGUMENT;
    status = pktseqi_detector_forward(detector, model, work, pair, count);
    for (size_t i = 0; i < count && status == PKTSEQ_OK; ++i) {
        pktseqi_sums sums = pktseqi_pair_sums(detector, model, work, &pair[i], i, NULL, NULL);
        score[i] = pktseqi_sums_value(detector, pair[i].inputs, &sums);
    }
    return status;
}

// A part is scaled as its packet's score is when that enters the mean, so that the parts of all
// packets add up to the sequence's score.
PKTSEQ_DEF pktseq_status pktseq_detector_explain(const pktseq_detector *detector,
                                                 const pktseq_model *model, pktseq_work *work,
                                                 const pktseq_pair *pair, double *part,
                                                 double *score) {
    const pktseq_detector *d = detector;
    pktseq_status status;
    pktseqi_sums sums;
    size_t terms;
    double scale;
    if (!part || !score) return PKTSEQ_ERROR_ARGUMENT;
    status = pktseqi_detector_forward(d, model, work, pair, 1);
    if (status) return status;
    terms = d->groups + d->contexts;
    // without a context in the score its parts stay 0, not what was in the caller's memory
    memset(part, 0, pair->targets * terms * sizeof *part);
    sums = pktseqi_pair_sums(d, model, work, pair, 0, NULL, part);
    scale = 1 / (double)pair->targets;  // of the mean; then as in pktseqi_sums_value
    if (d->options.by_length)
        scale /= d->length_scale[pktseqi_length_class(sums.packets, PKTSEQI_LENGTHS)];
    for (size_t p = 0; p < pair->targets * terms; ++p)
        part[p] *= scale * (d->options.context > 0 ? d->scale[p % terms >= d->groups] : 1);
    *score = pktseqi_sums_value(d, pair->inputs, &sums);
    return PKTSEQ_OK;
}

// ---- batch scoring: a whole data set, many sequences at once

//     order   | 320 | 310 | .. | 64 | 64 | .. | 9 | 9 | 9 | .. | 4 | 4 | .. | 4 |   packets
//     batches |-- 6 --|-- 6 --|  |---- 32 ----|  |------ 64 ------|  |--- 64 ---|   sequences
//
// One sequence at a time makes poor use of vectors: the matrices are read for a single column. So
// sequences go through the network side by side, as in training. A batch is limited by sequences
// and, for few long ones, by packets; both limits are per thread.

// Batches are taken from the sequences sorted by length, so that the sequences of a batch end
// together and no thread is left with one long sequence. All threads work on the same batch: each
// runs some of its sequences, then computes tiles of outputs, then sums up whole sequences. No sum
// covers two sequences, so scores do not depend on batches and threads.
typedef struct pktseqi_batch_scoring {
    const pktseq_detector *detector;
    const pktseq_dataset *dataset;
    pktseqi_sums *sums;     // (pairs)
    pktseqi_sums *running;  // (pairs, PKTSEQ_RUNNING), see pktseqi_pair_sums; or NULL
    size_t *order;          // (pairs) by length, longest first
    const size_t *index;    // the current batch: its place in order
    pktseq_pair *pair;      // (work.batch)
    size_t max_rows;        // target packets of a batch, unless it is one sequence
    pktseq_work work;
    pktseqi_job job;        // model and work, for the passes of pktseqi_forward
    pktseq_status status;
} pktseqi_batch_scoring;

// Sequences and packets of a batch, per thread: they affect only time and memory. 64 rows fill the
// panels of a product; 2048 rows of outputs, 3.4 MB with the recommended model, are what few
// sequences of 320 packets need.
enum { PKTSEQI_SCORED_SEQUENCES = 64, PKTSEQI_SCORED_PACKETS = 2048 };

// Sorts the sequences by length with a counting sort. 0 = out of memory.
static int pktseqi_batch_sort(pktseqi_batch_scoring *s, const pktseq_allocator *allocator) {
    const pktseq_dataset *d = s->dataset;
    // a length is at most `longest`, so the counts take less memory than the data set
    size_t longest = d->longest + d->options.inputs;
    size_t *count = (size_t *)pktseqi_alloc_zeroed(allocator, longest + 2, sizeof *count);
    s->order = (size_t *)pktseqi_alloc(allocator, d->pairs, sizeof *s->order);
    if (count && s->order) {
        for (size_t i = 0; i < d->pairs; ++i) ++count[d->length[i]];
        for (size_t n = longest + 1; n-- > 0;) count[n] += count[n + 1];  // now: n packets or more
        // those with more than n packets come first: count[n + 1] is where the next of n goes
        for (size_t i = 0; i < d->pairs; ++i) s->order[count[d->length[i] + 1]++] = i;
    }
    pktseqi_free(allocator, count);
    return count && s->order;
}

// Sums up sequence i of the current batch, each into its own slots. One task per sequence: its
// logarithms are enough work for one.
static void pktseqi_batch_sum(void *user, size_t i) {
    const pktseqi_batch_scoring *s = (const pktseqi_batch_scoring *)user;
    size_t k = s->index[i];  // its number in the data set
    s->sums[k] = pktseqi_pair_sums(s->detector, s->job.model, &s->work, &s->pair[i], i,
                                   s->running ? s->running + PKTSEQ_RUNNING * k : NULL, NULL);
}

// Returns how many sequences the batch that begins at this place of order has. The first is its
// longest, so together they have max_rows packets at most.
static size_t pktseqi_batch_count(const pktseqi_batch_scoring *s, size_t at) {
    const pktseq_dataset *d = s->dataset;
    // a pair has one target packet at least, so this does not divide by 0
    size_t fit = s->max_rows / (d->length[s->order[at]] - d->options.inputs);
    size_t count = s->work.batch < d->pairs - at ? s->work.batch : d->pairs - at;
    return fit >= count ? count : fit ? fit : 1;
}

// Returns the target packets of the largest batch: work is allocated for exactly these.
static size_t pktseqi_batch_rows(const pktseqi_batch_scoring *s) {
    const pktseq_dataset *d = s->dataset;
    size_t max = 0, past;
    for (size_t at = 0; at < d->pairs; at = past) {
        size_t rows = 0;
        past = at + pktseqi_batch_count(s, at);
        for (size_t i = at; i < past; ++i) rows += d->length[s->order[i]] - d->options.inputs;
        if (rows > max) max = rows;
    }
    return max;
}

// Scores one batch after another. All run within one parallel region, whose threads wait between
// two passes instead of being started again.
//   user   pktseqi_batch_scoring      pool   the threads, or NULL for this one alone
static void pktseqi_batch_run(void *user, pktseqi_pool *pool) {
    pktseqi_batch_scoring *s = (pktseqi_batch_scoring *)user;
    const pktseq_dataset *d = s->dataset;
    size_t count, threads = (size_t)s->work.threads;
    for (size_t at = 0; at < d->pairs && s->status == PKTSEQ_OK; at += count) {
        count = pktseqi_batch_count(s, at);
        s->index = s->order + at;
        for (size_t i = 0; i < count; ++i) s->pair[i] = pktseq_dataset_pair(d, s->index[i]);
        // as pktseqi_forward does, on the threads that are running already
        s->status = pktseqi_forward_check(s->job.model, &s->work, s->pair, count, NULL);
        if (s->status) return;
        pktseqi_forward_begin(s->work.state, s->pair, count, NULL,
                              s->detector->options.one_step_ahead);
        s->work.state->has_loss = 0;  // not needed here
        s->job.chains = !pool ? 1 : count < threads ? count : threads;
        pktseqi_forward_pass(&s->job, pool);
        pktseqi_forward_end(&s->work);
        pktseqi_pool_tasks(pool, count, pktseqi_batch_sum, s);
    }
}

// Fills sums (pairs) and, unless it is NULL, running (pairs, PKTSEQ_RUNNING), which holds zeros.
static pktseq_status pktseqi_batch_score(const pktseq_detector *detector,
                                         const pktseq_model *model, const pktseq_dataset *dataset,
                                         int threads, pktseqi_sums *sums, pktseqi_sums *running,
                                         pktseq_error *err) {
    const pktseq_allocator *allocator = &detector->allocator;
    pktseqi_batch_scoring scoring, *s = &scoring;
    pktseq_work *work = &s->work;
    pktseq_status status;
    memset(s, 0, sizeof *s);
    s->detector = detector;
    s->dataset = dataset;
    s->sums = sums;
    s->running = running;
    if (threads < 0 || threads > 1024)
        return pktseqi_bad_argument(err, "threads is not between 0 and 1024");
    work->config = model->config;
    work->threads = pktseqi_thread_count(threads);
    // more threads get larger batches, so that each has as much to do as alone
    work->batch = (size_t)work->threads * PKTSEQI_SCORED_SEQUENCES;
    work->targets = dataset->longest;  // arrays by step, a few bytes each, fit the longest
    s->max_rows = (size_t)work->threads * PKTSEQI_SCORED_PACKETS;
    if (work->batch > dataset->pairs) work->batch = dataset->pairs;
    work->allocator = *allocator;
    s->pair = (pktseq_pair *)pktseqi_alloc(allocator, work->batch, sizeof *s->pair);
    status = s->pair && pktseqi_batch_sort(s, allocator) &&
                     pktseqi_work_alloc(work, pktseqi_batch_rows(s))
                 ? PKTSEQ_OK : pktseqi_no_memory(err);
    if (status == PKTSEQ_OK) {
        s->job.model = model;
        s->job.work = work->state;
        pktseqi_pool_run(work->threads, pktseqi_batch_run, s);
        if (s->status)
            status = pktseqi_error(err, s->status, 0,
                                   "the sequences do not fit the model and the detector");
    }
    pktseqi_free(allocator, s->order);
    pktseqi_free(allocator, s->pair);
    pktseq_work_free(work);
    return status;
}

// Checks that detector, model and data set fit together.
static pktseq_status pktseqi_detector_match(const pktseq_detector *d, const pktseq_model *model,
                                            const pktseq_dataset *dataset, pktseq_error *err) {
    pktseq_status status;
    if (!d || !d->memory || !model || !model->block || !dataset || !dataset->pairs)
        return pktseqi_bad_argument(err, "detector, model or dataset is NULL or empty");
    status = pktseqi_dataset_match(model, dataset, err);
    if (status) return status;
    // options may be edited after init, so the context may have a share though there is none
    if (!pktseqi_detector_fits(d, model) ||
        (d->options.context > 0 && (!dataset->c || d->contexts != dataset->contexts)))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0,
                             "the detector expects %z outputs in %z groups and %z fields of "
                             "context; found %z, %z and %z", d->out, d->groups, d->contexts,
                             model->config.out, model->config.groups, dataset->contexts);
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_detector_score_all(const pktseq_detector *detector,
                                                   const pktseq_model *model,
                                                   const pktseq_dataset *dataset, int threads,
                                                   double *score, pktseq_error *err) {
    pktseq_status status = pktseqi_detector_match(detector, model, dataset, err);
    pktseqi_sums *sums;
    if (status) return status;
    if (!score) return pktseqi_bad_argument(err, "score is NULL");
    // sums first, scores only after success: on failure score is unchanged
    sums = (pktseqi_sums *)pktseqi_alloc(&detector->allocator, dataset->pairs, sizeof *sums);
    if (!sums) return pktseqi_no_memory(err);
    status = pktseqi_batch_score(detector, model, dataset, threads, sums, NULL, err);
    for (size_t i = 0; i < dataset->pairs && status == PKTSEQ_OK; ++i)
        score[i] = pktseqi_sums_value(detector, dataset->options.inputs, &sums[i]);
    pktseqi_free(&detector->allocator, sums);
    return status ? status : pktseqi_ok(err);
}

// ---- >>reasons: which columns raised a score, what they expected and saw ----------------------

// A score has a term for each group of outputs and each field of the context, and each packet adds
// its part to every term. The terms that added most over the packets in question are the reasons;
// each is shown at the packet that added most: what the model expected there, and what came. A
// watcher cannot keep all packets and notes sum, worst packet and values as it goes
// (pktseqi_blame); for a pair of a data set they are found afterwards. Choice and text are the
// same.

// The three terms that added most so far, the largest first; of equal terms the earlier one.
typedef struct pktseqi_top {
    size_t term[3], count;  // count of the three are used
    double sum[3], all;     // all: of every term that raised the score, among the three or not
} pktseqi_top;

// Enters a term with what it added to a score. Terms are entered once each, in the order of the
// codec's fields.
static void pktseqi_top_add(pktseqi_top *top, size_t term, double sum) {
    size_t at = top->count, k;
    if (!(sum > 0)) return;  // a context nearer to normal than the mean is no reason
    top->all += sum;
    while (at > 0 && sum > top->sum[at - 1]) --at;  // insertion into three places
    if (at == 3) return;
    top->count += top->count < 3;
    for (k = top->count - 1; k > at; --k) {
        top->term[k] = top->term[k - 1];
        top->sum[k] = top->sum[k - 1];
    }
    top->term[at] = term;
    top->sum[at] = sum;
}

// Returns the field of a term: groups of outputs come first, then the fields of the context, which
// are the codec's last ones.
static const pktseq_field *pktseqi_term_field(const pktseq_codec *codec, size_t term) {
    return &codec->field[term < codec->groups ? codec->group_field[term]
                                              : codec->field_count - codec->contexts + term -
                                                    codec->groups];
}

// Computes what a term expected of a packet and what it saw, as numbers in the column's units or as
// indices of categories.
//   out   (O) the forecast, or numbers that rise with the probabilities of each class
//   c     (C) the packet's context
static void pktseqi_term_values(const pktseq_detector *d, const pktseq_codec *codec, size_t term,
                                const pktseq_real *out, const pktseqi_truth *truth,
                                const pktseq_real *c, double *expected, double *seen) {
    const pktseq_field *field = pktseqi_term_field(codec, term);
    if (term >= codec->groups) {  // the context is not forecast: its mean is expected
        *expected = pktseqi_field_unscale(field, d->mean[term - codec->groups]);
        *seen = pktseqi_field_unscale(field, (double)c[term - codec->groups]);
    } else if (codec->group[term].kind == PKTSEQ_GROUP_CLASS) {
        const pktseq_group *group = &codec->group[term];
        size_t hot = truth->packing ? pktseqi_truth_hot(truth, group, term) : 0;
        for (; !truth->packing && hot < group->count; ++hot)
            if (truth->row[group->first + hot] > 0) break;
        *expected = (double)pktseqi_largest(out + group->first, group->count);
        *seen = (double)hot;  // group->count: a class that the codec does not know
    } else {  // for a flag, the probability that it is set
        const pktseq_group *group = &codec->group[term];
        *expected = pktseqi_field_unscale(field, (double)out[group->first]);
        *seen = pktseqi_field_unscale(field, (double)pktseqi_truth_at(truth, group, term, 0));
    }
}

// Writes a number with three significant digits and all those before the point: 123.4 is 123,
// 1.234 is 1.23, 0.05678 is 0.0568; with an exponent below 10^-5 and from 10^17 on.
static void pktseqi_put_amount(pktseqi_text *t, double v) {
    double scale = 1;  // a power of ten up to 10^15 is exact, so the quotient is rounded once
    while (fabs(v) * scale < 100 && scale < 1e15) scale *= 10;
    pktseqi_put(t, "%f", floor(v * scale + 0.5) / scale);
}

// Writes a value that pktseqi_term_values computed, with the unit of its column. The mean of a
// context is no packet's value: "about 3", and 0 if it is nearly that.
static void pktseqi_term_text(const pktseq_codec *codec, size_t term, double value, int expected,
                              char text[64]) {
    // units that the columns' names do not tell; counters count packets or the like
    const pktseq_field *field = pktseqi_term_field(codec, term);
    // a class is at most its width; a number may be more than a size_t holds
    size_t width = pktseqi_field_width(field);
    size_t at = value >= 0 && value < (double)width ? (size_t)value : width;
    const char *unit = strcmp(field->column, "timestamp") == 0 ? " s" : "";
    pktseqi_text t = pktseqi_text_fixed(text, 64);
    if (strcmp(field->column, "length") == 0 || strcmp(field->column, "pair_length") == 0)
        unit = " bytes";
    if (!pktseqi_field_is_class(field)) {
        if (expected && term >= codec->groups) {
            pktseqi_put_text(&t, "about ");
            if (fabs(value) < 0.05) value = 0;
        }
        pktseqi_put_amount(&t, value);
        pktseqi_put_text(&t, unit);
    } else {
        pktseqi_put_text(&t, at < width ? pktseqi_field_class(field, at) : "another");
    }
}

// Fills in reason k of the three.
static void pktseqi_reason_fill(const pktseq_codec *codec, const pktseqi_top *top, size_t k,
                                size_t packet, double expected, double seen,
                                pktseq_reason *reason) {
    reason->column = pktseqi_term_field(codec, top->term[k])->column;
    reason->share = top->sum[k] / top->all;  // all > 0: each term in top has raised it
    reason->packet = packet;
    pktseqi_term_text(codec, top->term[k], expected, 1, reason->expected);
    pktseqi_term_text(codec, top->term[k], seen, 0, reason->seen);
}

PKTSEQ_DEF pktseq_status pktseq_detector_reasons(const pktseq_detector *detector,
                                                 const pktseq_codec *codec,
                                                 const pktseq_work *work, const pktseq_pair *pair,
                                                 const double *part, size_t first, size_t past,
                                                 pktseq_reason *reason, size_t *reasons) {
    const pktseq_detector *d = detector;
    pktseqi_top top;
    size_t terms;
    if (!d || !d->memory || !codec || !work || !pair || !part || !reason || !reasons ||
        !pktseqi_has_target(pair) || first >= past || past > pair->targets)
        return PKTSEQ_ERROR_ARGUMENT;
    // work may have computed another batch since: outputs of another pair cannot be noticed, but
    // missing outputs of these steps can
    if (codec->groups != d->groups || codec->contexts != d->contexts || codec->targets != d->out ||
        !pktseq_work_output(work, 0, past - 1))
        return PKTSEQ_ERROR_MISMATCH;
    memset(&top, 0, sizeof top);
    terms = d->groups + d->contexts;
    // part (T, terms) is read by columns, twice: at most 320 x 15 numbers
    for (size_t k = 0; k < (pair->context ? terms : d->groups); ++k) {  // without: all are 0
        double sum = 0;
        for (size_t t = first; t < past; ++t) sum += part[t * terms + k];
        pktseqi_top_add(&top, k, sum);
    }
    for (size_t r = 0; r < top.count; ++r) {
        size_t k = top.term[r], worst = first;
        pktseqi_truth truth;
        double expected, seen;
        for (size_t t = first; t < past; ++t)  // of equal steps the first one
            if (part[t * terms + k] > part[worst * terms + k]) worst = t;
        truth = pktseqi_truth_in(pair, worst, d->out);
        pktseqi_term_values(d, codec, k, pktseq_work_output(work, 0, worst), &truth,
                            pair->context ? pair->context + worst * d->contexts : NULL, &expected,
                            &seen);
        pktseqi_reason_fill(codec, &top, r, pair->inputs + worst + 1, expected, seen, &reason[r]);
    }
    *reasons = top.count;
    return PKTSEQ_OK;
}

// ---- >>threshold: from a distribution of normal scores to any false-positive rate -------------

//     share of sequences    0        1/64 ..                           0.9          1
//     score                 |---------|---------|--- .. ---|-----------|~~~~~~~~~~~~~~~~~~> beyond
//                          quantile[0] [1]      [2]                tail[0]   generalised Pareto
//
// A threshold for 1 % of 900 sequences rests on nine of them. So the highest tenth is fitted by a
// curve with three parameters, which also extends beyond the highest score seen; below the tail 65
// quantiles are enough for any rate. Two such distributions are kept: of final scores, and of the
// highest score that a sequence ever had while it was watched, since each look at an open sequence
// is one more chance of a false alarm.
//
// The range of a rate is a promise that was checked (`make promise` in the repository): of 108
// pairs of traffic to learn from and later traffic to score, 99 % of the true rates were in it.

// Fits a generalised Pareto distribution to what the highest of sorted scores (n) exceed the score
// before them by: a tenth of them, or 20, or half. Its moments, mean m and variance v, give
//   shape = (1 - m m / v) / 2     scale = m (1 - shape)
// The shape is limited to -0.5 .. 0.3, since few scores can look like a hard end or a heavy tail.
// (Where there is a hard end, as of a uniform distribution, there are fewer alarms than requested.)
// source: Hosking and Wallis 1987, Technometrics 29(3)
static void pktseqi_tail_fit(pktseq_distribution *x, const double *score, size_t n) {
    size_t k = n / 10 > 20 ? n / 10 : n / 2 < 20 ? n / 2 : 20;  // 0 if n is 1: an empty tail
    double from = score[n > k ? n - k - 1 : 0], m = 0, v = 0, shape = 0;
    for (size_t i = n - k; i < n; ++i) m += (score[i] - from) / (double)k;
    for (size_t i = n - k; i < n; ++i)
        v += (score[i] - from - m) * (score[i] - from - m) / (double)(k > 1 ? k - 1 : 1);
    if (v > 0) shape = 0.5 * (1 - m * m / v);  // an exponential tail has v = m^2, shape 0
    if (shape < -0.5) shape = -0.5;
    if (shape > 0.3) shape = 0.3;
    x->tail[0] = from;
    x->tail[1] = (double)k / (double)n;
    x->tail[2] = shape;
    x->tail[3] = m * (1 - shape);
}

// Fits a distribution to the sorted scores of normal sequences (n): 65 quantiles and 4 numbers,
// which a checkpoint keeps of 900 sequences as of 10 million.
static void pktseqi_distribution_fit(pktseq_distribution *x, const double *sorted, size_t n) {
    for (int k = 0; k < PKTSEQ_QUANTILES; ++k) {
        double *q = &x->quantile[k];
        *q = pktseqi_quantile_sorted(sorted, n, (double)k / (PKTSEQ_QUANTILES - 1));
        if (k > 0 && *q < q[-1]) *q = q[-1];  // rounding
    }
    pktseqi_tail_fit(x, sorted, n);
}

// Returns the score that the share `rate` of the sequences exceeds: in the tail by its formula, or
// between two quantiles by a straight line, which must not lead above the start of the tail. At
// rate 0 it is the highest score that was seen.
static double pktseqi_distribution_at(const pktseq_distribution *x, double rate) {
    double at = (1 - rate) * (PKTSEQ_QUANTILES - 1), score;
    // the last step, [63, 64], also serves a rate of 0
    int k = (int)at < PKTSEQ_QUANTILES - 2 ? (int)at : PKTSEQ_QUANTILES - 2;
    if (rate > 0 && rate < x->tail[1]) {
        double shape = x->tail[2], fall = rate / x->tail[1];
        // the limit of the formula below where the shape is 0: an exponential tail
        if (fabs(shape) < 1e-6) return x->tail[0] - x->tail[3] * log(fall);
        return x->tail[0] + x->tail[3] / shape * (pow(fall, -shape) - 1);
    }
    score = x->quantile[k] + (at - k) * (x->quantile[k + 1] - x->quantile[k]);
    return rate > 0 && score > x->tail[0] ? x->tail[0] : score;
}

//     variance = dispersion / (n rate) + 1/4
// Returns the variance of the logarithm of a requested rate: chance for as many sequences as were
// learned from, widened by how unevenly they came, and the drift that was measured between parts of
// recordings, a factor of e^0.5.
static double pktseqi_rate_variance(const pktseq_detector *d, double rate) {
    return d->dispersion / ((double)d->sequences * rate) + 0.25;
}

// 1.96 standard deviations of the logarithm of a rate are 95 %.
PKTSEQ_DEF pktseq_status pktseq_detector_threshold(const pktseq_detector *detector, int live,
                                                   double rate, double *threshold, double *low,
                                                   double *high) {
    double expected, factor;
    if (!detector || !threshold || !(rate >= 0 && rate <= 1)) return PKTSEQ_ERROR_ARGUMENT;
    if (!detector->sequences || detector->dispersion < 1) return PKTSEQ_ERROR_MISMATCH;
    expected = (double)detector->sequences * rate;  // above it, of those learned from
    factor = rate > 0 ? exp(1.96 * sqrt(pktseqi_rate_variance(detector, rate))) : 1;
    // The rate is lowered as if one more had been above: the next sequence exceeds the highest of n
    // with chance 1 / (n + 1), not never. With 9 expected, 1 % becomes 0.9 %.
    *threshold = pktseqi_distribution_at(live ? &detector->running : &detector->scores,
                                         rate < 1 ? rate * expected / (expected + 1) : 1);
    if (low) *low = expected < 2 ? 0 : rate / factor;
    if (high) *high = rate * factor < 1 ? rate * factor : 1;
    return PKTSEQ_OK;
}

// Replaces zeros by the detector's rate and threshold. A threshold given by the caller wins over a
// given rate, and that over what was learned. Before fit the learned threshold is DBL_MAX: there
// are no alarms.
static pktseq_status pktseqi_detector_choose(const pktseq_detector *d, int live, double *rate,
                                             double *threshold, pktseq_error *err) {
    int own = *rate > 0 && *threshold == 0;  // then the threshold is computed from the rate
    if (!(*rate >= 0 && *rate <= 1))
        return pktseqi_bad_argument(err, "false_positive_rate is not a share from 0 to 1");
    if (!(*threshold >= -HUGE_VAL)) return pktseqi_bad_argument(err, "threshold is not a number");
    if (*rate == 0) *rate = d->options.false_positive_rate;
    if (*threshold == 0) *threshold = live ? d->running_threshold : d->threshold;
    if (own && pktseq_detector_threshold(d, live, *rate, threshold, NULL, NULL))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the detector has no distribution of "
                             "scores, which false_positive_rate needs");
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_detector_rate(const pktseq_detector *detector,
                                              double alarms_per_hour, double *rate) {
    if (!detector || !rate || !pktseqi_finite(&alarms_per_hour) || alarms_per_hour < 0)
        return PKTSEQ_ERROR_ARGUMENT;
    if (!detector->sequences || !(detector->seconds > 0)) return PKTSEQ_ERROR_MISMATCH;
    *rate = alarms_per_hour * (detector->seconds / 3600) / (double)detector->sequences;
    if (*rate > 1) *rate = 1;  // more alarms than sequences
    return PKTSEQ_OK;
}

// Sets both thresholds, and the range of the first: the thresholds for the two ends of its rate's
// range. Where the rate has no such end, nothing bounds the threshold.
static void pktseqi_detector_set_thresholds(pktseq_detector *d) {
    double low = 0, high = 0, rate = d->options.false_positive_rate;
    pktseq_detector_threshold(d, 1, rate, &d->running_threshold, NULL, NULL);
    pktseq_detector_threshold(d, 0, rate, &d->threshold, &low, &high);
    // a high rate is a low threshold; between quantiles rounding can leave the threshold outside
    d->threshold_low = high < 1 ? pktseqi_distribution_at(&d->scores, high) : -DBL_MAX;
    d->threshold_high = low > 0 ? pktseqi_distribution_at(&d->scores, low) : DBL_MAX;
    if (d->threshold_low > d->threshold) d->threshold_low = d->threshold;
    if (d->threshold_high < d->threshold) d->threshold_high = d->threshold;
}

// ---- >>fit: what a detector learns from normal traffic ----------------------------------------

// Order matters: a packet's surprisal needs the errors of numbers, its context score the mean and
// covariance; the sums of both over sequences give the scales that make them comparable; scaled
// means give the scales by length; the resulting scores have a distribution, which gives the
// thresholds. Batches are scored once: all later steps work on the sums of each sequence, 24 bytes
// and 8 times 24 at its running scores.

// Returns 1 if scores depend on the mean squared error of group g: that of a number that counts.
static int pktseqi_detector_needs_error(const pktseq_detector *d, const pktseq_group *group,
                                        size_t g) {
    return d->options.measure == PKTSEQ_MEASURE_SURPRISAL && d->weight[g] > 0 &&
           group[g].kind == PKTSEQ_GROUP_NUMBER;
}

// Adds the squared errors of a pair to those of each number that is scored.
static pktseq_status pktseqi_detector_add_error(pktseq_detector *d, const pktseq_model *model,
                                                pktseq_work *work, const pktseq_pair *pair) {
    const pktseq_group *group = model->config.group;
    pktseq_status status = pktseqi_detector_forward(d, model, work, pair, 1);
    for (size_t t = 0; t < pair->targets && status == PKTSEQ_OK; ++t) {
        pktseqi_truth truth = pktseqi_truth_in(pair, t, d->out);
        for (size_t g = 0; g < d->groups; ++g) {
            size_t o = group[g].first;
            double e;
            if (!pktseqi_detector_needs_error(d, group, g)) continue;
            e = (double)work->state->out[t * d->out + o] -
                (double)pktseqi_truth_at(&truth, &group[g], g, 0);
            d->error[o] += e * e;
        }
    }
    return status;
}

// Fits the mean squared error of each number that is scored, over all packets of a data set, and at
// least 1e-9, so that a number that never varies does not divide by zero; errors of others stay 1.
// Pairs are run one by one in the order of the file: batches would sum in another order, and the
// last bits of the error would depend on how sequences are grouped.
static pktseq_status pktseqi_detector_fit_error(pktseq_detector *d, const pktseq_model *model,
                                                const pktseq_dataset *dataset,
                                                pktseq_error *err) {
    const pktseq_group *group = model->config.group;
    double packets = 0;
    pktseq_work work;
    pktseq_status status;
    int any = 0;
    for (size_t g = 0; g < d->groups; ++g) {
        if (!pktseqi_detector_needs_error(d, group, g)) continue;
        d->error[group[g].first] = 0;
        any = 1;
    }
    if (!any) return PKTSEQ_OK;  // the recommended detector: only the token is scored, a class
    status = pktseq_work_init(&work, &model->config, 1, dataset->longest, 1, &d->allocator, err);
    if (status) return status;
    for (size_t i = 0; i < dataset->pairs && status == PKTSEQ_OK; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(dataset, i);
        status = pktseqi_detector_add_error(d, model, &work, &pair);
        packets += (double)pair.targets;
    }
    pktseq_work_free(&work);
    if (status) return pktseqi_error(err, status, 0, "forward: %s", pktseq_status_text(status));
    for (size_t g = 0; g < d->groups; ++g) {
        double *error = &d->error[group[g].first];
        if (!pktseqi_detector_needs_error(d, group, g)) continue;
        *error /= packets;
        if (!pktseqi_finite(error))
            return pktseqi_error(err, PKTSEQ_ERROR_DIVERGED, 0, "a forecast is not finite");
        if (*error < 1e-9) *error = 1e-9;
    }
    return PKTSEQ_OK;
}

// Inverts a symmetric positive definite matrix a (n, n) in place, by Gauss and Jordan; no pivot can
// be zero. Returns 0 if one is not positive: the matrix is of another kind. n is 256 at most, n^3
// steps 17 million; the 0.04 on the diagonal bounds the condition number by the sum of variances
// divided by 0.04.
static int pktseqi_invert(double *a, size_t n) {
    for (size_t k = 0; k < n; ++k) {
        double pivot = a[k * n + k];
        if (!(pivot > 0) || !pktseqi_finite(&pivot)) return 0;
        a[k * n + k] = 1;
        for (size_t j = 0; j < n; ++j) a[k * n + j] /= pivot;
        for (size_t i = 0; i < n; ++i) {
            double factor = a[i * n + k];
            if (i == k) continue;
            a[i * n + k] = 0;
            for (size_t j = 0; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return 1;
}

// Fits the mean of the context over the packets that are scored, and the inverse of its covariance.
// 0.2^2 is added to each variance, so that a counter that never changes in normal traffic counts as
// if it varied by a fifth (of a logarithm, or of its unit), and not as infinitely rare. Two passes:
// differences from the mean keep their digits where squares of large numbers would not.
static pktseq_status pktseqi_detector_fit_context(pktseq_detector *d, const pktseq_dataset *dataset,
                                                  pktseq_error *err) {
    size_t C = d->contexts, n = 0;  // n packets
    memset(d->mean, 0, C * sizeof *d->mean);
    memset(d->precision, 0, C * C * sizeof *d->precision);
    for (int pass = 0; pass < 2; ++pass) {
        for (size_t i = 0; i < dataset->pairs; ++i) {
            pktseq_pair pair = pktseq_dataset_pair(dataset, i);
            for (size_t t = 0; t < pair.targets; ++t) {
                const pktseq_real *c = pair.context + t * C;
                n += pass == 0;
                for (size_t k = 0; k < C && pass == 0; ++k) d->mean[k] += (double)c[k];
                for (size_t k = 0; k < C * C && pass == 1; ++k)
                    d->precision[k] += ((double)c[k / C] - d->mean[k / C]) *
                                       ((double)c[k % C] - d->mean[k % C]);
            }
        }
        for (size_t k = 0; k < C && pass == 0; ++k) d->mean[k] /= (double)n;  // a pair has a target
    }
    for (size_t k = 0; k < C * C; ++k)
        d->precision[k] = d->precision[k] / (double)(n > 1 ? n - 1 : 1) +  // unbiased
                          (k % (C + 1) == 0 ? 0.04 : 0);
    if (!pktseqi_invert(d->precision, C))
        return pktseqi_error(err, PKTSEQ_ERROR_DIVERGED, 0,
                             "the covariance of the context has no inverse");
    return PKTSEQ_OK;
}

//     scale[0] = (1 - context) / sd of the network's means
//     scale[1] = context / sd of the context's means
// Brings network and context to the same scale: the mean of each over a sequence is divided by its
// standard deviation over all sequences (pairs) and multiplied by its share. A nat of the network
// and one of the context are not comparable: on our recording the scales are 0.21 and 1.43. One
// that is the same in all sequences is not divided by what rounding makes of its deviation.
static void pktseqi_detector_fit_scale(pktseq_detector *d, size_t inputs, const pktseqi_sums *sums,
                                       size_t pairs) {
    for (int k = 0; k < 2; ++k) {  // the network, the context
        double mean = 0, square = 0;
        for (int pass = 0; pass < 2; ++pass)
            for (size_t i = 0; i < pairs; ++i) {
                double v = (k ? sums[i].context : sums[i].network) /
                           (double)(sums[i].packets - inputs);
                if (pass == 0) mean += v / (double)pairs;
                else square += (v - mean) * (v - mean) / (double)pairs;
            }
        // 1e-20: rounding of long sums can make a relative deviation of 1e-10
        d->scale[k] = (k ? d->options.context : 1 - d->options.context) /
                      (square > 1e-20 * mean * mean ? sqrt(square) : 1);
    }
}

// Moments of the scores of one class of length. All are a few nats, so the squares need no second
// pass.
typedef struct pktseqi_moments {
    double n, total, square;
} pktseqi_moments;

// Computes the moments of mean scores by class of length, from sums (count); those of 0 packets are
// not there. No scale by length is applied, so fitting again gives the same.
static void pktseqi_moments_fit(const pktseq_detector *d, size_t inputs, const pktseqi_sums *sums,
                                size_t count, pktseqi_moments *of, int classes) {
    memset(of, 0, (size_t)classes * sizeof *of);
    for (size_t i = 0; i < count; ++i) {
        pktseqi_moments *m = &of[pktseqi_length_class(sums[i].packets, classes)];
        double v;
        if (!sums[i].packets) continue;
        v = pktseqi_sums_mean(d, inputs, &sums[i]);
        m->n += 1;
        m->total += v;
        m->square += v * v;
    }
}

// Returns what scores of a class are divided by: their mean plus two standard deviations, so that 1
// is high in every class; 1 where that is not a positive number.
static double pktseqi_moments_scale(const pktseqi_moments *m) {
    double mean, variance, scale;
    if (!(m->n > 0)) return 1;
    mean = m->total / m->n;
    variance = m->square / m->n - mean * mean;
    scale = mean + 2 * (variance > 0 ? sqrt(variance) : 0);
    return scale > 0 && pktseqi_finite(&scale) ? scale : 1;
}

// Fits the scales by length, of whole sequences (pairs) and of running scores (pairs,
// PKTSEQ_RUNNING). A class of fewer than 20 takes another scale, since the standard deviation of 20
// scores is uncertain by a sixth, 1 / sqrt(2 n): that of all, or for running scores that of the
// class before, whose sequences are the most like its own.
static void pktseqi_detector_fit_lengths(pktseq_detector *d, size_t inputs,
                                         const pktseqi_sums *sums, const pktseqi_sums *running,
                                         size_t pairs) {
    pktseqi_moments of[PKTSEQ_RUNNING], all;
    // with fewer than 20 sequences in all, every class that has one takes its own
    double few = pairs < 20 ? 1 : 20;
    pktseqi_moments_fit(d, inputs, running, pairs * PKTSEQ_RUNNING, of, PKTSEQ_RUNNING);
    for (int k = 0; k < PKTSEQ_RUNNING; ++k)
        d->running_scale[k] = of[k].n < few && k > 0 ? d->running_scale[k - 1]
                                                     : pktseqi_moments_scale(&of[k]);
    if (!d->options.by_length) return;
    pktseqi_moments_fit(d, inputs, sums, pairs, &all, 1);
    pktseqi_moments_fit(d, inputs, sums, pairs, of, PKTSEQI_LENGTHS);
    for (int k = 0; k < PKTSEQI_LENGTHS; ++k)
        d->length_scale[k] = pktseqi_moments_scale(of[k].n < 20 ? &all : &of[k]);
}

// Returns the dispersion: the variance of the number of scores (pairs) above a limit between ten
// parts of the file, divided by the variance that chance would give (chi squared by its degrees of
// freedom); at least 1. Rare events come in bursts: on our recording, 21 minutes, it is 2.9.
//   limit   that of the highest tenth, not of the requested rate: ten parts of nine events say
//           nothing
static double pktseqi_detector_dispersion(const pktseq_dataset *dataset, const double *score,
                                          double limit) {
    double count[10] = {0}, high[10] = {0}, share = 0, sum = 0;
    int used = 0;
    for (size_t i = 0; i < dataset->pairs; ++i) {
        // below 10: first_row is below rows
        size_t k = (size_t)(10.0 * (double)dataset->first_row[i] / (double)dataset->rows);
        count[k] += 1;
        high[k] += score[i] > limit;
        share += (score[i] > limit) / (double)dataset->pairs;
    }
    // of count sequences with chance `share` each the variance is count share (1 - share)
    for (int k = 0; k < 10 && share > 0; ++k) {
        double off = high[k] - count[k] * share;
        if (count[k] > 0) sum += off * off / (count[k] * share * (1 - share));
        used += count[k] > 0;
    }
    return used > 1 && sum > used - 1 ? sum / (used - 1) : 1;
}

// Raises the scores of pairs that were trained on to those held out, if these are higher: to their
// median or, with running scores among them, to the mean of the upper half, where it shows that the
// first packets were never seen. The tail of all sequences says more than that of the fifth that
// was held out, but a network knows by heart what it was trained on.
//   score    (pairs) those before dataset->trained were trained on; they are multiplied
//   sorted   (pairs) scratch
static void pktseqi_detector_correct(const pktseq_dataset *dataset, double *score, double *sorted,
                                     int running) {
    size_t n = dataset->trained, held = dataset->pairs - n;
    double upper[2] = {0, 0}, ratio;
    if (held < 1) return;  // nothing was held out: scores remain
    memcpy(sorted, score, dataset->pairs * sizeof *score);
    qsort(sorted, n, sizeof *sorted, pktseqi_compare_numbers);
    qsort(sorted + n, held, sizeof *sorted, pktseqi_compare_numbers);
    upper[0] = pktseqi_quantile_sorted(sorted, n, 0.5);
    upper[1] = pktseqi_quantile_sorted(sorted + n, held, 0.5);
    for (int k = 0; k < 2 && running; ++k) {
        size_t from = k ? n + held / 2 : n / 2, past = k ? n + held : n;
        for (size_t i = from; i < past; ++i)  // a running mean, which replaces the median
            upper[k] += (sorted[i] - upper[k]) / (double)(i - from + 1);
    }
    // multiplied and not shifted: a score is a mean of nats and has a zero
    ratio = upper[0] > 0 ? upper[1] / upper[0] : 1;
    if (ratio > 100) ratio = 100;  // nothing was learned but the sequences themselves
    for (size_t i = 0; i < n && ratio > 1; ++i) score[i] *= ratio;
}

// Fits a distribution to the scores of all pairs, which it corrects.
//   running   running scores are among them      sorted   (pairs) out
static pktseq_status pktseqi_detector_fit_scores(pktseq_distribution *x,
                                                 const pktseq_dataset *dataset, double *score,
                                                 double *sorted, int running, pktseq_error *err) {
    size_t n = dataset->pairs;
    for (size_t i = 0; i < n; ++i)
        if (!pktseqi_finite(&score[i]))
            return pktseqi_error(err, PKTSEQ_ERROR_DIVERGED, 0, "a score is not finite");
    pktseqi_detector_correct(dataset, score, sorted, running);
    memcpy(sorted, score, n * sizeof *score);
    qsort(sorted, n, sizeof *sorted, pktseqi_compare_numbers);
    pktseqi_distribution_fit(x, sorted, n);
    return PKTSEQ_OK;
}

// Returns the highest of a sequence's running scores, from the sums at each (PKTSEQ_RUNNING), and
// its final score.
static double pktseqi_detector_highest(const pktseq_detector *d, size_t inputs,
                                       const pktseqi_sums *running, double score) {
    for (int k = 0; k < PKTSEQ_RUNNING; ++k) {
        double v = running[k].packets ? pktseqi_sums_running(d, inputs, &running[k]) : score;
        if (v > score) score = v;
    }
    return score;
}

// Fits a copy of a detector, all steps in their order.
//   sums    (pairs, 1 + PKTSEQ_RUNNING) zeros, scratch      score   (3, pairs) scratch
static pktseq_status pktseqi_detector_fit(pktseq_detector *d, const pktseq_model *model,
                                          const pktseq_dataset *dataset, int threads,
                                          pktseqi_sums *sums, double *score, pktseq_error *err) {
    size_t n = dataset->pairs, inputs = dataset->options.inputs;
    pktseqi_sums *running = sums + n;
    double *highest = score + n, *sorted = highest + n;
    pktseq_status status = pktseqi_detector_fit_error(d, model, dataset, err);
    if (status == PKTSEQ_OK && d->options.context > 0)
        status = pktseqi_detector_fit_context(d, dataset, err);
    if (status == PKTSEQ_OK)
        status = pktseqi_batch_score(d, model, dataset, threads, sums, running, err);
    if (status) return status;
    if (d->options.context > 0) pktseqi_detector_fit_scale(d, inputs, sums, n);
    pktseqi_detector_fit_lengths(d, inputs, sums, running, n);
    for (size_t i = 0; i < n; ++i) {
        score[i] = pktseqi_sums_value(d, inputs, &sums[i]);
        highest[i] = pktseqi_detector_highest(d, inputs, running + PKTSEQ_RUNNING * i, score[i]);
    }
    // what a rate and a verdict need later, when there is no data set
    d->sequences = n;
    d->seconds = dataset->seconds;
    d->unknown = 0;  // of the column that is unknown most often: one packet may lack several
    for (size_t f = 0; f < dataset->field_count; ++f) {
        double share = (double)dataset->unknown[f] / (double)dataset->rows;
        if (share > d->unknown) d->unknown = share;
    }
    status = pktseqi_detector_fit_scores(&d->scores, dataset, score, sorted, 0, err);
    if (status) return status;
    d->dispersion = pktseqi_detector_dispersion(dataset, score,
                                                pktseqi_quantile_sorted(sorted, n, 0.9));
    status = pktseqi_detector_fit_scores(&d->running, dataset, highest, sorted, 1, err);
    if (status == PKTSEQ_OK) pktseqi_detector_set_thresholds(d);
    return status;
}

PKTSEQ_DEF pktseq_status pktseq_detector_fit(pktseq_detector *detector, const pktseq_model *model,
                                             const pktseq_dataset *dataset, int threads,
                                             pktseq_error *err) {
    pktseq_detector fitted;
    pktseq_status status = pktseqi_detector_match(detector, model, dataset, err);
    pktseqi_sums *sums;
    double *score;
    if (status) return status;
    // on a copy, so that a fit that fails leaves the detector unchanged
    fitted = *detector;
    status = pktseqi_detector_alloc(&fitted, err);
    if (status) return status;
    memcpy(fitted.memory, detector->memory,
           pktseqi_detector_numbers(detector) * sizeof *fitted.memory);
    sums = (pktseqi_sums *)pktseqi_alloc_zeroed(&fitted.allocator,
                                                pktseqi_times(dataset->pairs, 1 + PKTSEQ_RUNNING),
                                                sizeof *sums);
    score = (double *)pktseqi_alloc(&fitted.allocator, pktseqi_times(dataset->pairs, 3),
                                    sizeof *score);
    status = sums && score
                 ? pktseqi_detector_fit(&fitted, model, dataset, threads, sums, score, err)
                 : pktseqi_no_memory(err);
    pktseqi_free(&fitted.allocator, sums);
    pktseqi_free(&fitted.allocator, score);
    pktseqi_free(&fitted.allocator, status ? fitted.memory : detector->memory);
    if (status == PKTSEQ_OK) *detector = fitted;
    return status ? status : pktseqi_ok(err);
}

// ---- >>drift: is traffic what the detector was fitted to? -------------------------------------

//     above      later rate     > rate exp(1.96 sqrt(variance + dispersion / (m rate)))
//     unknown    of the packets > 2 unknown at calibration + 2 %
//     scores     largest gap    > 0.25 + 1.63 sqrt(dispersion / m)            m sequences
//
// Three shares are compared with their limits: of sequences above the threshold, of packets that
// the codec has no category for, and of scores below each of seven octiles of the normal ones,
// which notices changes far below the threshold, too. Only sums are kept, so a drift's size does
// not grow with the traffic. A verdict cannot tell a flood of attacks from new normal traffic. Of
// 19 later parts of normal recordings one was called drifted, with a model of five minutes.
enum { PKTSEQI_OCTILE = (PKTSEQ_QUANTILES - 1) / 8 };

PKTSEQ_DEF pktseq_status pktseq_drift_add(pktseq_drift *drift, const pktseq_detector *detector,
                                          double score, int above, double packets,
                                          double unknown) {
    double fade;
    if (!drift || !detector || !pktseqi_finite(&score) || !(unknown >= 0 && unknown <= packets) ||
        !pktseqi_finite(&packets))
        return PKTSEQ_ERROR_ARGUMENT;
    // an exponential window: the weight of a sequence is 1/e after `window` more
    fade = drift->window > 1 ? 1 - 1 / drift->window : 1;
    // both sums together give the effective number of sequences, see pktseq_drift_verdict
    drift->sequences = drift->sequences * fade + 1;
    drift->squares = drift->squares * fade * fade + 1;
    drift->packets = drift->packets * fade + packets;
    drift->unknown = drift->unknown * fade + unknown;
    drift->above = drift->above * fade + (above != 0);
    for (int k = 0; k < 7; ++k)
        drift->below[k] = drift->below[k] * fade +
                          (score <= detector->scores.quantile[(k + 1) * PKTSEQI_OCTILE]);
    drift->named *= fade;
    for (int k = 0; k < PKTSEQ_DRIFT_NAMES; ++k) drift->name_count[k] *= fade;
    return PKTSEQ_OK;
}

// The summary of Misra and Gries 1982 (Sci. Comput. Program. 2): a name without a counter takes the
// smallest one if that is below 1, else all counters lose 1. So counts are lower bounds, and every
// name that is more than a ninth of all has a counter.
PKTSEQ_DEF void pktseq_drift_unknown(pktseq_drift *drift, unsigned transport, unsigned src_port,
                                     unsigned dst_port) {
    char name[sizeof drift->name[0]];  // the longest is "UDP-Lite/65535"
    pktseqi_text text = pktseqi_text_fixed(name, sizeof name);
    int min = 0;
    if (!drift) return;
    pktseqi_put_text(&text, pktseqi_transport_name(transport));
    if (src_port || dst_port)
        pktseqi_put(&text, "/%z", (size_t)(src_port < dst_port ? src_port : dst_port));
    drift->named += 1;
    for (int k = 0; k < PKTSEQ_DRIFT_NAMES; ++k) {
        if (strcmp(drift->name[k], name) == 0 && drift->name_count[k] > 0) {
            drift->name_count[k] += 1;
            return;
        }
        if (drift->name_count[k] < drift->name_count[min]) min = k;
    }
    if (drift->name_count[min] < 1) {
        pktseqi_text_cut(drift->name[min], sizeof name, name);
        drift->name_count[min] = 1;
    } else {
        for (int k = 0; k < PKTSEQ_DRIFT_NAMES; ++k) drift->name_count[k] -= 1;
    }
}

// Returns the largest difference between the distributions of the scores and of normal ones, at the
// seven octiles. Where scores repeat, several quantiles are equal, and the last of them counts.
static double pktseqi_drift_distance(const pktseq_drift *drift, const pktseq_detector *d) {
    const double *q = d->scores.quantile;
    double max = 0;
    for (int k = 1; k < 8; ++k) {
        int j = k * PKTSEQI_OCTILE;
        double off;
        // `below` includes scores that equal the octile, so all quantiles that do are included
        while (j + 1 < PKTSEQ_QUANTILES && q[j + 1] <= q[k * PKTSEQI_OCTILE]) ++j;
        off = fabs(drift->below[k - 1] / drift->sequences - (double)j / (PKTSEQ_QUANTILES - 1));
        if (off > max) max = off;
    }
    return max;
}

// Finds the most frequent name. Its count is a lower bound, and so is its share.
static void pktseqi_drift_most(const pktseq_drift *drift, pktseq_verdict *verdict) {
    double max = 0;
    verdict->name = "";
    for (int k = 0; k < PKTSEQ_DRIFT_NAMES; ++k) {
        if (drift->name_count[k] <= max) continue;
        max = drift->name_count[k];
        verdict->name = drift->name[k];
    }
    verdict->name_share = drift->named > 0 ? max / drift->named : 0;
}

PKTSEQ_DEF pktseq_status pktseq_drift_verdict(pktseq_drift *drift, const pktseq_detector *detector,
                                              double rate, pktseq_verdict *verdict) {
    pktseq_verdict v;
    double n, variance, chance, slack[3];
    if (!drift || !detector || !verdict || !(rate <= 1)) return PKTSEQ_ERROR_ARGUMENT;
    if (!detector->sequences || detector->dispersion < 1) return PKTSEQ_ERROR_MISMATCH;
    memset(&v, 0, sizeof v);
    pktseqi_drift_most(drift, &v);
    v.expected = rate;
    v.unknown_expected = detector->unknown;
    // Kish's effective number of sequences, since faded ones count less; 100, but for rounding
    n = drift->squares > 0 ? drift->sequences * drift->sequences / drift->squares : 0;
    v.judged = n >= 99.5;
    if (v.judged) {
        // hysteresis: what was above its limit must fall below 0.7 of it, so that verdicts do not
        // alternate; the bits are PKTSEQ_DRIFT_..
        for (unsigned k = 0; k < 3; ++k) slack[k] = drift->drifted >> k & 1 ? 0.7 : 1;
        chance = detector->dispersion / n;
        // calibration and these n sequences are both samples: their variances add up
        variance = rate > 0 ? pktseqi_rate_variance(detector, rate) + chance / rate : 0;
        v.above = drift->above / drift->sequences;
        // at rate 0, five sequences above the highest score of the calibration
        v.above_limit = slack[0] * (rate > 0 ? rate * exp(1.96 * sqrt(variance)) : 5 / n);
        v.unknown = drift->packets > 0 ? drift->unknown / drift->packets : 0;
        // other normal traffic often has twice as many as the calibration, and 2 % where that had
        // almost none
        v.unknown_limit = slack[1] * (2 * v.unknown_expected + 0.02);
        v.distance = pktseqi_drift_distance(drift, detector);
        // 1.63 / sqrt(n): the 99 % quantile of Kolmogorov's statistic
        v.distance_limit = slack[2] * (0.25 + 1.63 * sqrt(chance));
        if (rate >= 0 && v.above > v.above_limit) v.drifted |= PKTSEQ_DRIFT_ABOVE;
        if (v.unknown > v.unknown_limit) v.drifted |= PKTSEQ_DRIFT_UNKNOWN;
        if (v.distance > v.distance_limit) v.drifted |= PKTSEQ_DRIFT_SCORES;
    }
    drift->drifted = v.drifted;  // 0, too, if there are too few sequences to judge
    *verdict = v;
    return PKTSEQ_OK;
}

// ---- >>stream: a sequence whose packets come one at a time -----------------------------------

// A stream holds what a forward pass holds between two packets: the hidden state, the previous
// packet (the next token) and, free running, the last forecast. Its steps are those of >>forward
// with a batch of one, so a stream's score is the file's to the bit. pktseq_stream_push takes dense
// packets. A watcher pushes packed ones, since of 640 features 10 are not zero, and keeps the
// previous packet itself.

PKTSEQ_DEF pktseq_status pktseq_stream_init(pktseq_stream *stream, const pktseq_model *model,
                                            const pktseq_detector *detector,
                                            const pktseq_allocator *allocator, pktseq_error *err) {
    pktseq_allocator own = pktseqi_allocator(allocator);
    size_t H, O, D;
    if (!stream) return pktseqi_bad_argument(err, "stream is NULL");
    memset(stream, 0, sizeof *stream);
    if (!model || !model->block || !detector || !detector->memory)
        return pktseqi_bad_argument(err, "model or detector is NULL or empty");
    if (!pktseqi_detector_fits(detector, model))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the detector is another model's");
    // (H) h, h2, (4H) gate, (O) last, out, then the token
    H = model->config.hidden;
    O = model->config.out;
    D = model->config.in > O ? model->config.in : O;  // encoder and decoder share the token
    // a model holds 3H rows of D, O and H numbers: so this sum cannot wrap
    stream->memory = (pktseq_real *)pktseqi_alloc(&own, 6 * H + 2 * O + D, sizeof *stream->h);
    if (!stream->memory) return pktseqi_no_memory(err);
    stream->allocator = own;
    stream->h = stream->memory;
    stream->h2 = stream->h + H;
    stream->gate = stream->h2 + H;
    stream->last = stream->gate + 4 * H;
    stream->out = stream->last + O;
    stream->token = stream->out + O;
    stream->model = model;
    stream->detector = detector;
    pktseq_stream_reset(stream);
    return pktseqi_ok(err);
}

// A sequence begins with h = 0 and, in `last`, the token 0. The other arrays are written before
// they are read.
PKTSEQ_DEF void pktseq_stream_reset(pktseq_stream *stream) {
    if (!stream || !stream->h) return;
    memset(stream->h, 0, stream->model->config.hidden * sizeof *stream->h);
    memset(stream->last, 0, stream->model->config.out * sizeof *stream->last);
    stream->packets = 0;  // also says that h is zero
    stream->network = stream->context = 0;
}

// What a decoder step takes as its token:
//
//     step                        one step ahead           free running
//     first, START_INPUT          previous packet, or 0    the same
//     first, START_TARGET         the packet itself        the same
//     later                       previous packet          last forecast
//
// START_TARGET is the reference's habit: the first forecast has seen what it forecasts.

// Returns one of three: the token of the next step, which is one of the decoder.
static const pktseq_real *pktseqi_stream_token(const pktseq_stream *stream,
                                               const pktseq_real *previous,
                                               const pktseq_real *itself) {
    const pktseq_config *config = &stream->model->config;
    if (stream->packets == config->inputs)
        return config->start == PKTSEQ_START_TARGET ? itself : previous;
    return stream->detector->options.one_step_ahead ? previous : stream->out;
}

// Runs one step of a GRU; the next state becomes the state. The kernels write the next state beside
// the old one, which all units still read.
//   decoder   0 = the encoder
//   x         (D of the GRU)
//   entry     the nonzero entries of the input instead of x; or NULL
static void pktseqi_stream_step(pktseq_stream *stream, int decoder, const pktseq_real *x,
                                const pktseqi_nonzero *entry) {
    pktseqi_gru gru = pktseqi_gru_of(&stream->model->config, &stream->model->tensor, decoder);
    pktseqi_step step;
    step.count = 1;
    step.x = x;
    step.entry = entry;
    step.entries = stream->model->config.groups;
    step.h_stride = gru.H;
    step.gate_stride = 4 * gru.H;
    step.h = stream->h;
    step.h_is_zero = stream->packets == 0;  // saves the product with h, as in a batch
    step.h2 = stream->h2;
    step.gate = stream->gate;
    pktseqi_gru_forward(pktseqi_choose(), &gru, &step);
    memcpy(stream->h, stream->h2, gru.H * sizeof *stream->h);
}

// Returns the surprisal that pktseqi_output and pktseqi_network_score compute, to the bit, but
// without outputs of weight 0, and with no probability but that of the class that came. Leaves in
// stream->out, for each group with a weight, numbers that rise with the probabilities: enough to
// name the class that was expected most.
static double pktseqi_stream_surprisal(pktseq_stream *stream, const pktseqi_truth *truth,
                                       double *part) {
    const pktseqi_kernels *kernels = pktseqi_choose();
    const pktseq_model *model = stream->model;
    const pktseq_detector *d = stream->detector;
    double sum = 0;
    for (size_t g = 0; g < d->groups; ++g) {
        const pktseq_group *group = &model->config.group[g];
        pktseq_real *out = stream->out + group->first, total = 0, p = 0;
        double before = sum;
        part[g] = 0;
        if (!(d->weight[g] > 0)) continue;
        pktseqi_output_rows(kernels, model, stream->h, 0, 1, group->first, group->count, out);
        if (group->kind == PKTSEQ_GROUP_CLASS) {
            size_t hot = pktseqi_truth_hot(truth, group, g);
            if (hot < group->count) {  // for an unknown class p stays 0, and the outputs are raw
                total = kernels->exp(out, group->count, kernels->max(out, group->count));
                p = out[hot] * (1 / total);  // as pktseqi_link scales, in the same two roundings
            }
            sum += d->weight[g] * pktseqi_surprisal((double)p, PKTSEQI_MIN_PROBABILITY);
        } else {
            if (group->kind == PKTSEQ_GROUP_FLAG) kernels->sigmoid(out, 1);
            sum += d->weight[g] * pktseqi_group_surprisal(group, g, d->error, stream->out, truth);
        }
        part[g] = sum - before;
    }
    return sum;
}

// Runs a step of the decoder and adds the scores of the packet that came to the sums, as
// pktseqi_pair_sums does.
//   token   (O), or NULL: entry (G), its nonzero entries after LeakyReLU
//   part    (groups + C) out, what each group and field of the context adds; or NULL. Only a
//           watcher passes it, whose packets are packed and which needs no whole forecast
static void pktseqi_stream_forecast(pktseq_stream *stream, const pktseq_real *token,
                                    const pktseqi_nonzero *entry, const pktseqi_truth *truth,
                                    const pktseq_real *c, double *part) {
    const pktseq_model *model = stream->model;
    const pktseq_detector *d = stream->detector;
    if (token) pktseqi_token(token, model->config.out, stream->token);
    pktseqi_stream_step(stream, 1, stream->token, token ? NULL : entry);
    if (part && d->options.one_step_ahead && d->options.measure == PKTSEQ_MEASURE_SURPRISAL) {
        stream->network += pktseqi_stream_surprisal(stream, truth, part);
    } else {  // free running, all outputs are needed: they are the next token
        pktseqi_output(pktseqi_choose(), model, stream->h, 0, 1, stream->out);
        stream->network += pktseqi_network_score(d, model->config.group, stream->out, truth, part);
    }
    // the context is known with its packet: it is scored, not forecast
    if (d->options.context > 0)
        stream->context += pktseqi_context_score(d, c, part ? part + d->groups : NULL);
}

PKTSEQ_DEF pktseq_status pktseq_stream_push(pktseq_stream *stream, const pktseq_real *x,
                                            const pktseq_real *y, const pktseq_real *c) {
    const pktseq_config *config;
    if (!stream || !stream->h || !x || !y || !stream->model->block || !stream->detector->memory ||
        (stream->detector->options.context > 0 && !c))
        return PKTSEQ_ERROR_ARGUMENT;
    config = &stream->model->config;
    if (stream->packets < config->inputs) {
        pktseqi_stream_step(stream, 0, x, NULL);
    } else {
        pktseqi_truth truth = {NULL, y};
        pktseqi_stream_forecast(stream, pktseqi_stream_token(stream, stream->last, y), NULL,
                                &truth, c, NULL);
    }
    memcpy(stream->last, y, config->out * sizeof *y);  // y may be gone at the next call
    ++stream->packets;
    return PKTSEQ_OK;
}

// Adds a packed packet of the model's format, row (F), with its context c (C). The caller keeps the
// previous packet: a watcher lends one stream to thousands of sequences.
//   before   (F) the previous packet, or NULL for the first
//   entry    (groups) scratch: the token
//   part     (groups + C) out
static void pktseqi_stream_push_packed(pktseq_stream *stream, const pktseq_packing *packing,
                                       const pktseq_real *before, const pktseq_real *row,
                                       const pktseq_real *c, pktseqi_nonzero *entry,
                                       double *part) {
    if (stream->packets < stream->model->config.inputs) {
        // the encoder takes dense packets: the reference has three, recommended models none
        pktseqi_unpack_inputs(packing, row, stream->token);
        pktseqi_stream_step(stream, 0, stream->token, NULL);
    } else {
        pktseqi_truth truth = {packing, row};
        const pktseq_real *token = pktseqi_stream_token(stream, before, row);
        int packed = token != stream->out;  // not a forecast
        if (packed) pktseqi_packed_token(packing, token, entry);
        pktseqi_stream_forecast(stream, packed ? NULL : token, entry, &truth, c, part);
    }
    ++stream->packets;
}

// The score of a sequence that ends here: by_length uses the packets pushed so far.
PKTSEQ_DEF pktseq_status pktseq_stream_score(const pktseq_stream *stream, double *score) {
    pktseqi_sums sums;
    // model and detector are borrowed, and may have been freed: then their pointers are NULL
    if (!stream || !stream->h || !score || !stream->model->block || !stream->detector->memory ||
        stream->packets <= stream->model->config.inputs)
        return PKTSEQ_ERROR_ARGUMENT;
    sums.network = stream->network;
    sums.context = stream->context;
    sums.packets = stream->packets;
    *score = pktseqi_sums_value(stream->detector, stream->model->config.inputs, &sums);
    return PKTSEQ_OK;
}

PKTSEQ_DEF void pktseq_stream_free(pktseq_stream *stream) {
    if (!stream) return;
    pktseqi_free(&stream->allocator, stream->memory);
    memset(stream, 0, sizeof *stream);
}

// ---- >>watch: packets in, alarms out ----------------------------------------------------------

// A packet goes through the tracker (which finds its sequence), encode (which computes its
// features as the codec does for a file) and the stream of its sequence. One stream is lent to each
// sequence in turn; what must outlive a packet is in the sequence's slot, a block of slot_size
// bytes:
//
//     pktseqi_watched   pktseqi_blame of each term   since   h   (free running: out)   row
//
// The tracker numbers the slots. Their array grows with the number of sequences open at once.

// The life of a sequence:
//
//     packets   1 .. N     encoder; not scored
//               N+1 ..     each adds to both sums, and to the blame of each term
//               4, 8, 16   running score: if it is above the threshold, one alarm
//     its end   idle, at max_length, evicted, or by a tick:
//                          score: if it is above the threshold or there was an alarm, one `ended`
//                          drift and adapt use it, if a packet of it was scored
//
// A slot has 1,256 bytes with the recommended model: 600 for the alarm that it may become, 256 for
// the hidden state. A packet takes 3.8 us on one core (bench live).

// What one term, a group of outputs or a field of the context, has added to a sequence's score.
// float: an alarm shows three digits, and a slot has 15 of these.
typedef struct pktseqi_blame {
    float sum, worst;       // worst: the most that a packet added,
    float expected, seen;   // and of that packet: see pktseqi_term_values
    uint32_t packet;
} pktseqi_blame;

// A sequence that is open, or was: a slot is cleared when the next one begins there.
typedef struct pktseqi_watched {
    pktseq_alarm alarm;     // as far as it is known; reasons are found when it is raised
    double network, context;  // the stream's sums over the packets scored so far
    uint64_t token;         // of the packet that added most to the token's term
    char token_protocol[24];  // the rest of that token's text, which the codec may not have
    double highest;         // running score so far, for adapt; -DBL_MAX: none
    uint32_t unknown;       // packets with a string that the codec does not know
    int open;               // 0: it has ended, or the slot was never used
} pktseqi_watched;

// A cached category. The key is the protocol and, for a token, the number that its text is made
// from, else 0.
typedef struct pktseqi_looked {
    uint64_t token;
    int32_t category;       // -1: none
    char protocol[20];      // empty = unused
} pktseqi_looked;

// Entries of that cache, one per hash value: 64 KB for each column of strings. A hit saves writing
// the string out and searching the codec's categories.
enum { PKTSEQI_LOOKED = 2048 };

// A field of the codec, prepared to be computed from packets.
typedef struct pktseqi_watch_field {
    size_t known;           // column
    pktseqi_tree tree;      // of the categories of strings
    pktseqi_looked *looked; // (PKTSEQI_LOOKED) or NULL
} pktseqi_watch_field;

// Adapting replaces the normal traffic of the calibration by today's. The highest scores of the
// sequences that ended in the last `adapt` seconds are kept in a ring, and give a new distribution
// as in >>fit. Attacks must have little effect on it: see pktseqi_adapt_takes.

// A sequence that has ended: the highest of its running scores and its final score.
typedef struct pktseqi_ended {
    double time, highest;
    uint64_t source;        // hash of its address
    int above;              // 1: it raised an alarm, by the threshold at that time
} pktseqi_ended;

// How many are kept, how many are needed, and after how many more the threshold is recomputed. Of
// 4,096 sequences, a rate of 0.1 % has four above it; 200 are the fewest of which a tail of 20 is a
// tenth. Sorting 4,096 scores takes 0.24 ms, once every hundred sequences.
enum { PKTSEQI_ADAPT = 4096, PKTSEQI_ADAPT_MIN = 200, PKTSEQI_ADAPT_INTERVAL = 100 };

// The inside of a watcher. All arrays but the slots are in one block.
typedef struct pktseqi_watching {
    const pktseq_codec *codec;
    pktseq_stream stream;   // lent to each sequence in turn: h and out point into slots
    pktseqi_watch_field *field;  // (field_count)
    pktseq_packing packing; // the codec's
    pktseq_real *row, *c;   // (F) the current packet, packed; (C) its context
    pktseqi_nonzero *entry; // (groups) the token
    double *part;           // (terms) what the current packet adds to each
    size_t terms;           // groups + C
    pktseqi_ended *ended;   // (PKTSEQI_ADAPT) a ring; none unless it adapts
    double *sorted;         // (PKTSEQI_ADAPT) scratch
    size_t ended_count, since_threshold;  // sequences so far; since the threshold was computed
    void *block;            // field .. sorted
    unsigned char *slots;   // (capacity, slot_size)
    size_t capacity;
    size_t at_since, at_h, at_row;  // bytes from the beginning of a slot
} pktseqi_watching;

// Returns the sequence in a slot. The pointer holds until the next packet that begins a sequence.
static pktseqi_watched *pktseqi_watch_at(const pktseq_watcher *w, size_t slot) {
    return (pktseqi_watched *)(void *)(w->state->slots + slot * w->slot_size);
}

// Returns what a slot holds from byte `at` on.
static void *pktseqi_watch_slot(pktseqi_watched *s, size_t at) {
    return (unsigned char *)s + at;
}

// ---- a packet's features

// The codec's fields are computed from the packet itself, from what the tracker derives (direction,
// counters of the pair and of the source, the token), and from the first and the previous packet.
// init refuses fields that no packet has.

// Returns the category of a string, or -1 if it has none. The text of a token is written out only
// on a cache miss.
static int32_t pktseqi_watch_text(const pktseq_watcher *w, const pktseq_field *field,
                                 pktseqi_watch_field *f, const pktseq_tracked *tracked) {
    int token = f->known == PKTSEQI_COL_TOKEN;
    uint64_t word = token ? tracked->token : 0, hash = word * 0x9e3779b97f4a7c15u;
    size_t size = strlen(tracked->protocol);
    int32_t category = -1;
    pktseqi_text t = pktseqi_text_growing(&w->allocator);
    pktseqi_looked *looked;
    uint32_t like = 0;
    // Any hash will do: a collision costs one search, since the key is compared. Fibonacci hashing
    // (Knuth, The Art of Computer Programming 3, 6.4) mixes the upper bits.
    for (size_t i = 0; i < size && i < sizeof looked->protocol; ++i)
        hash = (hash ^ (unsigned char)tracked->protocol[i]) * 0x9e3779b97f4a7c15u;
    looked = &f->looked[hash >> 40 & (PKTSEQI_LOOKED - 1)];
    if (size && size < sizeof looked->protocol && looked->token == word &&
        strcmp(looked->protocol, tracked->protocol) == 0)
        return looked->category;
    if (token) pktseqi_token_text(&t, word, tracked->protocol);
    else pktseqi_put_text(&t, tracked->protocol);
    // out of memory, its category is unknown this time and is not cached
    if (!t.failed && pktseqi_tree_find(&f->tree, (char *const *)(uintptr_t)field->category,
                                       t.data ? t.data : "", t.size, &like))
        category = (int32_t)like;  // below 2^31: a column of strings has fewer
    if (!t.failed && size && size < sizeof looked->protocol) {
        looked->token = word;
        looked->category = category;
        memcpy(looked->protocol, tracked->protocol, size + 1);
    }
    pktseqi_free(&t.allocator, t.data);
    return category;
}

// Returns a packet's number in a column: what the tracker has derived, else the packet's own.
static double pktseqi_watch_number(size_t known, const pktseq_packet *packet,
                                   const pktseq_tracked *tracked) {
    pktseqi_staged v;
    pktseqi_packets_get(packet, tracked, 1, known, 0, &v);  // watch_has has refused unknown ones
    return v.number[0];
}

// Returns 1 if packets have this column, of the kind that the field needs.
static int pktseqi_watch_has(const pktseq_field *field, size_t known) {
    int text = known == PKTSEQI_COL_PROTOCOL || known == PKTSEQI_COL_TOKEN;
    if (pktseqi_field_texts(field)) return text;
    return !text && (pktseqi_known[known].size || pktseqi_known[known].made_of);
}

// Encodes a packet: fields of the context into c, all others into row, in the order of the codec's
// fields. Returns 1 if the codec does not know one of its strings.
//   since   (2 for each field that looks back) its number in the sequence's first packet, and in
//           the previous one
static int pktseqi_watch_encode(pktseq_watcher *w, const pktseq_packet *packet,
                                const pktseq_tracked *tracked, double *since) {
    pktseqi_watching *state = w->state;
    const pktseq_codec *codec = state->codec;
    pktseq_real *row = state->row;
    int unknown = 0;
    for (size_t i = 0; i < codec->field_count; ++i) {
        const pktseq_field *field = &codec->field[i];
        pktseqi_watch_field *f = &state->field[i];
        pktseq_real *to = field->role == PKTSEQ_ROLE_CONTEXT
                              ? state->c + (codec->first[i] - codec->features)
                              : row++;
        const pktseqi_kind *kind = pktseqi_kind_of(field);
        double v;
        int large = 0;  // of no interest: a number beyond pktseq_real is encoded as 0
        if (pktseqi_field_texts(field)) {
            v = pktseqi_watch_text(w, field, f, tracked);
            unknown |= v < 0;
        } else {
            double number = pktseqi_watch_number(f->known, packet, tracked);
            v = number;
            if (kind->minus) {
                if (tracked->position == 0) since[0] = since[1] = number;
                v -= since[kind->minus == PKTSEQI_MINUS_PREVIOUS];
                since[1] = number;
                since += 2;
            }
            v = pktseqi_field_value(field, pktseqi_kind_log(kind, v));
        }
        to[0] = pktseqi_real_of(&v, &large);
    }
    return unknown;
}

// ---- alarms

// A sequence raises one alarm while it is open, with the first running score above the threshold,
// and then one more when it ends, with its final score: so a listener can close what it opened.
// Without a running alarm the final score may still raise one. Rules limit how long a sequence can
// be open (packets and idle time), so every alarm has an end.

// Returns 1 if a term is that of the column "token".
static int pktseqi_watch_is_token(const pktseqi_watching *state, size_t term) {
    const pktseq_codec *codec = state->codec;
    return term < codec->groups &&
           state->field[codec->group_field[term]].known == PKTSEQI_COL_TOKEN;
}

// Raises an alarm with its three main reasons. Shares need no scale of length or of running scores:
// it is the same for all terms.
static void pktseqi_watch_raise(pktseq_watcher *w, pktseqi_watched *s, double score, int ended) {
    const pktseqi_watching *state = w->state;
    const pktseqi_blame *blame = (const pktseqi_blame *)(s + 1);
    pktseq_alarm *a = &s->alarm;
    pktseqi_top top;
    memset(&top, 0, sizeof top);
    for (size_t p = 0; p < state->terms; ++p) pktseqi_top_add(&top, p, (double)blame[p].sum);
    for (size_t k = 0; k < top.count; ++k) {
        const pktseqi_blame *b = &blame[top.term[k]];
        pktseq_reason *r = &a->reason[k];
        pktseqi_reason_fill(state->codec, &top, k, b->packet, (double)b->expected, (double)b->seen,
                            r);
        if (pktseqi_watch_is_token(state, top.term[k]))  // also one that the codec does not know
            pktseq_token_text(s->token, s->token_protocol, r->seen, sizeof r->seen);
    }
    // the alarm stays in the slot: it is raised again at the end, with what has come since
    a->reasons = top.count;
    a->ended = ended;
    a->score = score;
    a->threshold = w->options.threshold;
    w->anomalous += !a->repeated;  // sequences, with an alarm at any time
    w->alarms += !ended;  // once at most: an open sequence that has raised one is not compared
    if (w->options.alarm_fn) w->options.alarm_fn(w->options.user_data, a);
    a->repeated = 1;
}

// Returns the running score of a sequence or, when it has ended, its score; 0 before a packet is
// scored.
static double pktseqi_watch_score(const pktseq_watcher *w, const pktseqi_watched *s, int ended) {
    const pktseq_detector *d = w->state->stream.detector;
    size_t inputs = w->state->stream.model->config.inputs;
    pktseqi_sums sums = {s->network, s->context, s->alarm.packets};
    // not the mean of nothing; a threshold below 0 then gives an alarm
    if (s->alarm.packets <= inputs) return 0;
    return ended ? pktseqi_sums_value(d, inputs, &sums) : pktseqi_sums_running(d, inputs, &sums);
}

// Returns 1 if a sequence that has raised an alarm may count as normal, see pktseq_watcher_options.
// If none ever did, the threshold could only fall; if all did, an attacker could raise it. Measured
// in tests/test_watch.c: 1,000 alarms of one source move it less than 30 %, and a change of 50
// sources is followed within 6,000 sequences.
static int pktseqi_adapt_takes(const pktseq_watcher *w, const pktseqi_ended *ended) {
    const pktseqi_watching *state = w->state;
    size_t kept = state->ended_count < PKTSEQI_ADAPT ? state->ended_count : (size_t)PKTSEQI_ADAPT;
    double n = 1, all = 1, same = 1;  // sequences, alarms, of this source; this one included
    // only for sequences with alarms, so this loop over 4,096 of them is rare
    for (size_t i = 0; i < kept; ++i) {
        const pktseqi_ended *e = &state->ended[i];
        if (e->time < ended->time - w->options.adapt) continue;
        n += 1;
        all += e->above;
        same += e->above && e->source == ended->source;
    }
    return all <= 1 + 2 * w->options.false_positive_rate * n && same <= 1 + 0.002 * n;
}

// Adds a sequence that has ended with this score, and at intervals recomputes the threshold. The
// detector is borrowed and unchanged: only options.threshold of this watcher moves, which
// watcher->adapted counts.
static void pktseqi_adapt_add(pktseq_watcher *w, const pktseqi_watched *s, double score) {
    pktseqi_watching *state = w->state;
    const pktseq_detector *detector = state->stream.detector;
    double rate = w->options.false_positive_rate;
    pktseq_detector now;
    pktseqi_ended ended;
    size_t n = 0;
    ended.time = s->alarm.time;
    // what is compared with a threshold, while the sequence is open and at its end
    ended.highest = score > s->highest ? score : s->highest;
    ended.source = pktseqi_fnv(PKTSEQI_FNV_START, s->alarm.src, sizeof s->alarm.src);
    ended.above = s->alarm.repeated;
    if (ended.above && !pktseqi_adapt_takes(w, &ended)) return;
    state->ended[state->ended_count++ % PKTSEQI_ADAPT] = ended;  // replaces the oldest
    // a detector with a dispersion below 1 was not fitted: its threshold is the caller's
    if (++state->since_threshold < PKTSEQI_ADAPT_INTERVAL || detector->dispersion < 1) return;
    for (size_t i = 0; i < state->ended_count && i < PKTSEQI_ADAPT; ++i)
        if (state->ended[i].time >= ended.time - w->options.adapt)
            state->sorted[n++] = state->ended[i].highest;
    // with fewer than two expected alarms nothing bounds a threshold: pktseq_detector_threshold
    if (n < PKTSEQI_ADAPT_MIN || (double)n * rate < 2) return;
    state->since_threshold = 0;
    qsort(state->sorted, n, sizeof *state->sorted, pktseqi_compare_numbers);
    now = *detector;  // with its dispersion; its arrays are only borrowed
    now.sequences = n;
    pktseqi_distribution_fit(&now.running, state->sorted, n);
    w->adapted += pktseq_detector_threshold(&now, 1, rate, &w->options.threshold, NULL, NULL) ==
                  PKTSEQ_OK;
}

// Ends a sequence: it may raise an alarm now, or again with its final score. The tracker calls this
// before the slot is reused.   user_data: the watcher
static void pktseqi_watch_end(void *user_data, size_t slot) {
    pktseq_watcher *w = (pktseq_watcher *)user_data;
    pktseqi_watched *s = pktseqi_watch_at(w, slot);
    double score = pktseqi_watch_score(w, s, 1);
    ++w->sequences;  // including those too short to be scored
    if (!s->open) return;  // it never began in this slot
    if (s->alarm.repeated || score > w->options.threshold) pktseqi_watch_raise(w, s, score, 1);
    if (s->alarm.packets > w->state->stream.model->config.inputs) {
        pktseq_drift_add(&w->drift, w->state->stream.detector, score, s->alarm.repeated,
                         (double)s->alarm.packets, (double)s->unknown);
        if (w->options.adapt > 0) pktseqi_adapt_add(w, s, score);
    }
    s->open = 0;
}

// Returns the nearest finite float: converting a number beyond them is undefined. NaN stays NaN.
static float pktseqi_float_of(double v) {
    return v > (double)FLT_MAX ? FLT_MAX : v < -(double)FLT_MAX ? -FLT_MAX : (float)v;
}

// Notes what this packet added to each term, and what was expected and seen where that was most.
// Only shares are shown, so parts are not divided by the number of packets. Only a new `worst`
// costs more than an addition: most packets of a sequence are not the worst of any term.
static void pktseqi_watch_blame(pktseq_watcher *w, pktseqi_watched *s,
                                const pktseq_tracked *tracked) {
    const pktseqi_watching *state = w->state;
    const pktseq_codec *codec = state->codec;
    const pktseq_detector *d = state->stream.detector;
    pktseqi_truth truth = {&state->packing, state->row};
    pktseqi_blame *blame = (pktseqi_blame *)(s + 1);
    for (size_t p = 0; p < state->terms; ++p, ++blame) {
        double scale = d->options.context > 0 ? d->scale[p >= codec->groups] : 1;
        float part = pktseqi_float_of(state->part[p] * scale);
        double expected, seen;
        blame->sum += part;  // as a float, over 320 packets: no digit that is shown is lost
        if (!(part > blame->worst)) continue;
        pktseqi_term_values(d, codec, p, state->stream.out, &truth, state->c, &expected, &seen);
        blame->worst = part;
        blame->packet = (uint32_t)s->alarm.packets;
        blame->expected = pktseqi_float_of(expected);
        blame->seen = pktseqi_float_of(seen);
        if (!pktseqi_watch_is_token(state, p)) continue;
        s->token = tracked->token;
        pktseqi_text_cut(s->token_protocol, sizeof s->token_protocol, tracked->protocol);
    }
}

// ---- the stream of a sequence

// Little is kept from packet to packet: the hidden state (H), the last packet as a packed row (F
// numbers, from which the token is computed), both sums, and free running the last forecast (O).
// Only the row is copied.

// Runs the stream for the current packet in row and c. Its state, and free running its forecast,
// are the slot's own memory; the slot's row is the previous packet.
static void pktseqi_watch_stream(pktseq_watcher *w, pktseqi_watched *s) {
    pktseqi_watching *state = w->state;
    pktseq_stream *stream = &state->stream;
    pktseq_real *before = (pktseq_real *)pktseqi_watch_slot(s, state->at_row);
    stream->h = (pktseq_real *)pktseqi_watch_slot(s, state->at_h);
    if (!stream->detector->options.one_step_ahead)
        stream->out = stream->h + stream->model->config.hidden;
    // the stream's own h and out stay unused; `memory` is what will be freed
    stream->packets = s->alarm.packets;
    stream->network = s->network;
    stream->context = s->context;
    pktseqi_stream_push_packed(stream, &state->packing, s->alarm.packets ? before : NULL,
                               state->row, state->c, state->entry, state->part);
    s->network = stream->network;
    s->context = stream->context;
    memcpy(before, state->row, state->packing.fields * sizeof *before);
}

// Begins a sequence in a slot with its first packet.
static void pktseqi_watch_begin(pktseq_watcher *w, pktseqi_watched *s, const pktseq_packet *packet,
                                const pktseq_tracked *tracked) {
    pktseq_alarm *a = &s->alarm;
    memset(s, 0, w->slot_size);  // blames and the hidden state, too
    s->open = 1;
    s->highest = -DBL_MAX;
    // the first packet decides which end is the source: replies do not swap them
    a->begin = packet->time;
    memcpy(a->src, packet->src, 16);
    memcpy(a->dst, packet->dst, 16);
    a->src_port = packet->src_port;
    a->dst_port = packet->dst_port;
    a->transport = packet->transport;
    a->icmp_type = packet->icmp_type;
    a->icmp_code = packet->icmp_code;
    a->connection = tracked->connection;
    a->sequence = tracked->sequence;
    pktseqi_text_cut(a->protocol, sizeof a->protocol, tracked->protocol);
}

// Makes room for one more slot. 0 = out of memory. The tracker numbers slots from 0 without gaps,
// so the next one is at most `used`; rules without connections have one sequence at a time.
static int pktseqi_watch_reserve(pktseq_watcher *w) {
    pktseqi_watching *state = w->state;
    const pktseqi_slots *s = &w->tracker.state->table[PKTSEQI_CONNECTIONS];
    size_t max = w->tracker.rule.kind == PKTSEQ_RULE_CONNECTION ? s->limit : 1;
    size_t to = state->capacity ? 2 * state->capacity : 64;
    void *memory;
    // At the limit the tracker evicts and reuses slots. Doubling copies a slot once on average;
    // between two packets nothing points into slots.
    if (s->used < state->capacity || state->capacity == max) return 1;
    if (to > max) to = max;
    memory = pktseqi_regrow(&w->allocator, state->slots, state->capacity, to, w->slot_size);
    if (!memory) return 0;
    state->slots = (unsigned char *)memory;
    memset(state->slots + state->capacity * w->slot_size, 0,
           (to - state->capacity) * w->slot_size);
    state->capacity = to;
    return 1;
}

PKTSEQ_DEF pktseq_status pktseq_watcher_push(pktseq_watcher *watcher, const pktseq_packet *packet) {
    pktseqi_watching *state;
    pktseqi_watched *s;
    pktseq_tracked tracked;
    pktseq_status status;
    size_t n;
    if (!watcher || !watcher->state) return PKTSEQ_ERROR_ARGUMENT;
    state = watcher->state;
    // first all that can fail, so that a refused packet has changed nothing
    if (!pktseqi_watch_reserve(watcher)) return PKTSEQ_ERROR_MEMORY;
    watcher->tracker.user_data = watcher;  // which may have moved
    status = pktseq_tracker_push(&watcher->tracker, packet, &tracked);
    if (status || tracked.dropped) return status;
    // if another sequence had to end first, tracker_push has called pktseqi_watch_end
    s = pktseqi_watch_at(watcher, tracked.slot);
    if (tracked.position == 0) pktseqi_watch_begin(watcher, s, packet, &tracked);
    if (pktseqi_watch_encode(watcher, packet, &tracked,
                             (double *)pktseqi_watch_slot(s, state->at_since))) {
        pktseq_drift_unknown(&watcher->drift, packet->transport, packet->src_port,
                             packet->dst_port);
        ++watcher->unknown;
        ++s->unknown;
    }
    pktseqi_watch_stream(watcher, s);
    n = ++s->alarm.packets;  // including this one
    s->alarm.time = packet->time;
    s->alarm.bytes += packet->length;
    // only packets with a payload have a name other than the transport's
    if (strcmp(s->alarm.protocol, "TCP") == 0 || strcmp(s->alarm.protocol, "UDP") == 0)
        pktseqi_text_cut(s->alarm.protocol, sizeof s->alarm.protocol, tracked.protocol);
    if (n > state->stream.model->config.inputs) pktseqi_watch_blame(watcher, s, &tracked);
    // after an alarm there is nothing more until the sequence ends
    if (pktseqi_running_now(n) && !s->alarm.repeated) {
        double score = pktseqi_watch_score(watcher, s, 0);
        if (score > s->highest) s->highest = score;
        if (score > watcher->options.threshold) pktseqi_watch_raise(watcher, s, score, 0);
    }
    return status;
}

PKTSEQ_DEF void pktseq_watcher_tick(pktseq_watcher *watcher, double now) {
    if (!watcher || !watcher->state) return;
    watcher->tracker.user_data = watcher;  // as in push
    pktseq_tracker_tick(&watcher->tracker, now);
}

// ---- making a watcher

// While packets come, memory is allocated only for slots, when more sequences are open than ever
// before, and for a string that is not cached.

// Points every array into the block, or counts if it is NULL; returns the bytes needed.
static size_t pktseqi_watch_arrays(pktseqi_watching *s, int adapts, char *block) {
    const pktseq_codec *codec = s->codec;
    size_t used = 0, ended = adapts ? PKTSEQI_ADAPT : 0;
    pktseqi_looked *looked;
    s->field = (pktseqi_watch_field *)pktseqi_bump(block, &used, codec->field_count, 1,
                                                   sizeof *s->field);
    for (size_t i = 0; i < codec->field_count; ++i) {
        size_t texts = pktseqi_field_texts(&codec->field[i]) ? PKTSEQI_LOOKED : 0;
        looked = (pktseqi_looked *)pktseqi_bump(block, &used, texts, 1, sizeof *looked);
        if (block && texts) s->field[i].looked = looked;
    }
    s->row = (pktseq_real *)pktseqi_bump(block, &used, codec->fields, 1, sizeof *s->row);
    s->c = (pktseq_real *)pktseqi_bump(block, &used, codec->contexts, 1, sizeof *s->c);
    s->entry = (pktseqi_nonzero *)pktseqi_bump(block, &used, codec->groups, 1, sizeof *s->entry);
    s->part = (double *)pktseqi_bump(block, &used, s->terms, 1, sizeof *s->part);
    s->ended = (pktseqi_ended *)pktseqi_bump(block, &used, ended, 1, sizeof *s->ended);
    s->sorted = (double *)pktseqi_bump(block, &used, ended, 1, sizeof *s->sorted);
    return used;
}

// Prepares the fields of the codec: finds the column of each among those that packets have, and
// builds a search tree of the categories of strings. On failure the watcher can be freed.
static pktseq_status pktseqi_watch_fields(pktseq_watcher *w, pktseq_error *err) {
    const pktseq_codec *codec = w->state->codec;
    for (size_t i = 0; i < codec->field_count; ++i) {
        const pktseq_field *field = &codec->field[i];
        pktseqi_watch_field *f = &w->state->field[i];
        f->known = pktseqi_known_find(field->column);
        if (!pktseqi_watch_has(field, f->known))
            return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0,
                                 "column %q of the codec cannot be made of a packet",
                                 field->column);
        if (f->looked && !pktseqi_field_tree(field, &f->tree, &w->allocator))
            return pktseqi_no_memory(err);
    }
    return PKTSEQ_OK;
}

// Allocates all but the slots, and lays out a slot. Its size, watcher->slot_size, depends on the
// model (H), the codec (terms, fields that look back, F) and the options (free running: O).
static pktseq_status pktseqi_watch_layout(pktseq_watcher *w, const pktseq_model *model,
                                          pktseq_error *err) {
    pktseqi_watching *state = w->state;
    const pktseq_codec *codec = state->codec;
    int adapts = w->options.adapt > 0;
    size_t back = 0, reals = model->config.hidden, bytes;
    state->terms = codec->groups + codec->contexts;
    bytes = pktseqi_watch_arrays(state, adapts, NULL);
    state->block = pktseqi_alloc_zeroed(&w->allocator, pktseqi_plus(bytes, 64), 1);
    if (!state->block) return pktseqi_no_memory(err);
    pktseqi_watch_arrays(state, adapts, (char *)pktseqi_align(state->block));
    state->packing = pktseqi_codec_packing(codec);
    if (!pktseqi_packing_fits(&state->packing, &model->config) ||
        codec->contexts != state->stream.detector->contexts)
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the codec is another model's");
    for (size_t f = 0; f < codec->field_count; ++f)
        back += pktseqi_kind_of(&codec->field[f])->minus != PKTSEQI_MINUS_NONE;
    if (!state->stream.detector->options.one_step_ahead) reals += model->config.out;
    // doubles at multiples of 8; pktseq_real needs no more
    state->at_since = (sizeof(pktseqi_watched) + state->terms * sizeof(pktseqi_blame) + 7) / 8 * 8;
    state->at_h = state->at_since + 2 * back * sizeof(double);
    state->at_row = state->at_h + reals * sizeof(pktseq_real);
    w->slot_size = (state->at_row + state->packing.fields * sizeof(pktseq_real) + 7) / 8 * 8;
    return pktseqi_watch_fields(w, err);
}

// Returns the caller's rule or, if that has no length and so is none, another one; in either case
// with the caller's secret for the hashes, which no model keeps.
static pktseq_rule pktseqi_rule_or(const pktseq_rule *own, pktseq_rule other) {
    pktseq_rule rule = own->min_length ? *own : other;
    memcpy(rule.secret, own->secret, sizeof rule.secret);
    return rule;
}

// Replaces zeros by the codec's rule and by the detector's rate and threshold.
static pktseq_status pktseqi_watcher_options_fill(pktseq_watcher_options *o,
                                                  const pktseq_codec *codec,
                                                  const pktseq_detector *detector,
                                                  pktseq_error *err) {
    if (!(o->adapt >= 0) || o->adapt > DBL_MAX)
        return pktseqi_bad_argument(err, "adapt is not a time");
    o->rule = pktseqi_rule_or(&o->rule, pktseq_codec_schema(codec).rule);
    return pktseqi_detector_choose(detector, 1, &o->false_positive_rate, &o->threshold, err);
}

PKTSEQ_DEF pktseq_status pktseq_watcher_init(pktseq_watcher *watcher, const pktseq_model *model,
                                             const pktseq_codec *codec,
                                             const pktseq_detector *detector,
                                             const pktseq_watcher_options *options,
                                             const pktseq_allocator *allocator,
                                             pktseq_error *err) {
    pktseq_status status;
    if (!watcher) return pktseqi_bad_argument(err, "watcher is NULL");
    memset(watcher, 0, sizeof *watcher);
    if (!codec || !codec->field_count || !model || !model->block || !detector || !detector->memory)
        return pktseqi_bad_argument(err, "model, codec or detector is NULL or empty");
    watcher->allocator = pktseqi_allocator(allocator);
    if (options) watcher->options = *options;
    status = pktseqi_watcher_options_fill(&watcher->options, codec, detector, err);
    if (status) return status;
    watcher->state = (pktseqi_watching *)pktseqi_alloc_zeroed(&watcher->allocator, 1,
                                                              sizeof *watcher->state);
    if (!watcher->state) return pktseqi_no_memory(err);
    watcher->state->codec = codec;
    // whichever of these fails, watcher_free frees what there is
    status = pktseq_stream_init(&watcher->state->stream, model, detector, &watcher->allocator, err);
    if (status == PKTSEQ_OK)
        status = pktseq_tracker_init(&watcher->tracker, &watcher->options.rule,
                                     &watcher->allocator, err);
    if (status == PKTSEQ_OK) status = pktseqi_watch_layout(watcher, model, err);
    if (status) {
        pktseq_watcher_free(watcher);
        return status;
    }
    watcher->drift.window = 500;  // sequences: eleven minutes of our recording
    watcher->tracker.end_fn = pktseqi_watch_end;
    // counters that no field needs are not maintained
    watcher->tracker.without_pairs = watcher->tracker.without_sources = 1;
    for (size_t f = 0; f < codec->field_count; ++f)
        pktseqi_tracker_needs(&watcher->tracker, watcher->state->field[f].known);
    return pktseqi_ok(err);
}

PKTSEQ_DEF void pktseq_watcher_free(pktseq_watcher *watcher) {
    pktseqi_watching *state = watcher ? watcher->state : NULL;
    if (!watcher) return;
    for (size_t f = 0; state && state->field && f < state->codec->field_count; ++f)
        pktseqi_free(&watcher->allocator, state->field[f].tree.node);
    if (state) {
        pktseq_stream_free(&state->stream);
        pktseqi_free(&watcher->allocator, state->block);
        pktseqi_free(&watcher->allocator, state->slots);
        pktseqi_free(&watcher->allocator, state);
    }
    pktseq_tracker_free(&watcher->tracker);
    memset(watcher, 0, sizeof *watcher);
}

// ---- >>members: a struct as lines of text, and back -------------------------------------------
//
// What a checkpoint holds besides tensors is text of lines
//     name value;      or      name value,value,..;
// A list of members describes the lines of a struct: name, type, place, range. The writer and the
// reader walk the same list from the first member to the last, so a value is added to checkpoints
// by one line of a list. A member whose bytes are all zero is not written, and a missing line
// leaves zeros. Text never holds what JSON would have to escape: it has %xx in its place.
//
// Both directions apply the same checks, so whatever is saved can be loaded: pktseqi_member_good to
// each member, pktseqi_training_check and pktseqi_parts_check to what has to fit together.
// Ranges keep the code that uses a value defined: no division by zero, no number that is not
// finite, no index of a name that does not exist. Values that depend on other values are checked
// where the whole object is known.

// How a value lies in the struct and how it is written, and flags for more than one value.
enum {
    PKTSEQI_REAL,            // double, in the fewest digits that give the same bits back
    PKTSEQI_WHOLE,           // size_t
    PKTSEQI_BYTE,            // unsigned char, a whole number
    PKTSEQI_FLAG,            // int that is a condition, 0 or 1
    PKTSEQI_NAME,            // enumeration, a name of the list
    PKTSEQI_HEX,             // uint64_t, 16 digits
    PKTSEQI_TEXT,            // array of char
    PKTSEQI_STRING,          // pointer to a C string, which reading allocates
    PKTSEQI_TYPE = 15,       // mask of all these
    PKTSEQI_RISING = 16,     // each at least as large as the previous one
    PKTSEQI_COUNTED = 32,    // the member at count_at counts them; else the size of the array does
    PKTSEQI_SQUARED = 64,    // the square of that count
    PKTSEQI_POINTER = 128,   // the struct has a pointer to them
    PKTSEQI_GROWN = 256       // as many as the line has: reading sets the count and allocates what
};                           //   the pointer points to, with a zero after the last

// One line. Numbers, and indices of names, are from min to max, inclusive; for strings that are
// GROWN max limits their count.
// Offsets and sizes come from offsetof and sizeof, so a member that changes its type is found by
// the compiler or by the round trip of tests/test_checkpoint.c, not by users.
typedef struct pktseqi_member {
    const char *name;
    int type;
    size_t offset, size;  // in the struct
    double min, max;
    size_t count_at;      // offset of the size_t that counts an array
    const char *const *names;
} pktseqi_member;

// The values of a member of an object.
typedef struct pktseqi_values {
    char *at;
    size_t count, size;  // bytes of each
} pktseqi_values;

// Returns where a member's values are, and how many.
// The only place that turns offsets into addresses. `object` is only written through the result
// while it is loaded. Counts are members of the same object and stand before their arrays in the
// list, so they are set and checked first.
static pktseqi_values pktseqi_member_values(const pktseqi_member *m, const void *object) {
    pktseqi_values v;
    int type = m->type & PKTSEQI_TYPE;
    v.at = (char *)object + m->offset;
    v.size = type == PKTSEQI_REAL ? sizeof(double) : type == PKTSEQI_BYTE ? 1
             : type == PKTSEQI_STRING ? sizeof(char *) : m->size;
    v.count = m->size / v.size;
    if (m->type & PKTSEQI_COUNTED)
        memcpy(&v.count, (const char *)object + m->count_at, sizeof v.count);
    if (m->type & PKTSEQI_SQUARED) v.count *= v.count;
    if (m->type & PKTSEQI_POINTER) memcpy(&v.at, v.at, sizeof(char *));
    return v;
}

// Returns a value that is a number, of a name its index.
// With -fshort-enums an enumeration is one byte. A double holds whole numbers up to 2^53 exactly;
// no range admits larger ones.
static double pktseqi_value_get(const pktseqi_member *m, const char *at) {
    int type = m->type & PKTSEQI_TYPE, integer;
    size_t whole;
    double real;
    if (type == PKTSEQI_REAL) {
        memcpy(&real, at, sizeof real);
        return real;
    }
    if (type == PKTSEQI_WHOLE) {
        memcpy(&whole, at, sizeof whole);
        return (double)whole;
    }
    if (type == PKTSEQI_BYTE || m->size == 1) return *(const unsigned char *)at;
    memcpy(&integer, at, sizeof integer);
    return type == PKTSEQI_FLAG ? integer != 0 : integer;
}

// Stores a number of the member's range, as pktseqi_value_get returns it.
static void pktseqi_value_set(const pktseqi_member *m, char *at, double real) {
    int type = m->type & PKTSEQI_TYPE, integer;
    size_t whole;
    if (type == PKTSEQI_REAL) {
        memcpy(at, &real, sizeof real);
    } else if (type == PKTSEQI_WHOLE) {
        whole = (size_t)real;
        memcpy(at, &whole, sizeof whole);
    } else if (type == PKTSEQI_BYTE || m->size == 1) {
        *(unsigned char *)at = (unsigned char)real;
    } else {
        integer = (int)real;
        memcpy(at, &integer, sizeof integer);
    }
}

// Returns the C string that a value is; NULL for a pointer to none, as in a codec made by hand.
static const char *pktseqi_value_text(const pktseqi_member *m, const char *at) {
    const char *text = at;
    if ((m->type & PKTSEQI_TYPE) == PKTSEQI_STRING) memcpy(&text, at, sizeof text);
    return text;
}

// Returns the index of a name in a list that NULL ends, or the length of the list.
// Lists are short, except categories, of which there are at most 4,096.
static size_t pktseqi_find_name(const char *const *name, const char *wanted) {
    size_t i = 0;
    while (name[i] && strcmp(name[i], wanted) != 0) ++i;
    return i;
}

// Returns 1 if a number is in the range of a member.
// Half of size_t is the largest object: on 32-bit machines that is less than some ranges allow.
static int pktseqi_number_good(const pktseqi_member *m, double v) {
    if (!pktseqi_finite(&v) || v < m->min || v > m->max) return 0;
    return (m->type & PKTSEQI_TYPE) == PKTSEQI_REAL ||
           (floor(v) == v && v <= (double)((size_t)-1 / 2));
}

// Returns 1 if all values of a member are valid.
static int pktseqi_member_good(const pktseqi_member *m, const void *object) {
    pktseqi_values v = pktseqi_member_values(m, object);
    int type = m->type & PKTSEQI_TYPE;
    for (size_t i = 0; i < v.count && type != PKTSEQI_HEX; ++i) {
        const char *at = v.at + i * v.size, *text = pktseqi_value_text(m, at);
        if (type == PKTSEQI_TEXT && !memchr(text, 0, m->size)) return 0;
        if (type == PKTSEQI_TEXT || type == PKTSEQI_STRING) {
            if (!text || !pktseqi_utf8(text, strlen(text))) return 0;
        } else if (!pktseqi_number_good(m, pktseqi_value_get(m, at)) ||
                   (m->type & PKTSEQI_RISING && i > 0 &&
                    pktseqi_value_get(m, at) < pktseqi_value_get(m, at - v.size))) {
            return 0;
        }
    }
    return 1;
}

// Returns 1 if every byte of a member's values is zero; of TEXT the first byte decides.
// By bytes: minus zero is written, since it has to come back with its sign.
static int pktseqi_member_zero(const pktseqi_member *m, const void *object) {
    pktseqi_values v = pktseqi_member_values(m, object);
    size_t k = 0, size = (m->type & PKTSEQI_TYPE) == PKTSEQI_TEXT ? 1 : v.count * v.size;
    while (k < size && v.at[k] == 0) ++k;
    return k == size;
}

// Appends text; %xx stands for what JSON escapes, for what ends values and lines, and for the
// percent sign. Names of columns and categories come from files: they may hold any UTF-8.
static void pktseqi_put_escaped(pktseqi_text *t, const char *text) {
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c >= 32 && !strchr("\"\\,;%", c)) {
            pktseqi_put_bytes(t, text, 1);
        } else {
            pktseqi_put_text(t, "%");
            pktseqi_put_hex(t, c, 2);
        }
    }
}

// Appends a value. Whole numbers are written as the doubles that they are, up to 2^53 without point
// and exponent.
static void pktseqi_put_value(pktseqi_text *t, const pktseqi_member *m, const char *at) {
    int type = m->type & PKTSEQI_TYPE;
    uint64_t bits;
    if (type == PKTSEQI_TEXT || type == PKTSEQI_STRING) {
        pktseqi_put_escaped(t, pktseqi_value_text(m, at));
    } else if (type == PKTSEQI_HEX) {
        memcpy(&bits, at, sizeof bits);
        pktseqi_put_hex(t, bits, 16);
    } else if (type == PKTSEQI_NAME) {
        pktseqi_put_text(t, m->names[(size_t)pktseqi_value_get(m, at)]);
    } else {
        pktseqi_put(t, "%f", pktseqi_value_get(m, at));
    }
}

// Appends the lines of an object. Fails with DATA where a value is invalid, so that the caller
// learns which one while the object still exists, and no file is written that cannot be loaded.
static pktseq_status pktseqi_put_members(pktseqi_text *t, const pktseqi_member *m, size_t count,
                                         const void *object, pktseq_error *err) {
    for (; count > 0; --count, ++m) {
        pktseqi_values v = pktseqi_member_values(m, object);
        if (!pktseqi_member_good(m, object))
            return PKTSEQI_DATA_ERROR(err, "%q has a value that cannot be saved", m->name);
        if (pktseqi_member_zero(m, object)) continue;
        pktseqi_put_text(t, m->name);
        for (size_t i = 0; i < v.count; ++i) {
            pktseqi_put_text(t, i ? "," : " ");
            pktseqi_put_value(t, m, v.at + i * v.size);
        }
        pktseqi_put_text(t, ";");
    }
    return PKTSEQ_OK;
}

// Parses `count` lower-case hexadecimal digits. Returns 0 if there are fewer; text may be shorter
// than `count`, as the 0 at its end is no digit.
static int pktseqi_load_hex(const char *text, int count, uint64_t *value) {
    static const char digits[] = "0123456789abcdef";
    for (*value = 0; count > 0; --count, ++text) {
        const char *digit = *text ? strchr(digits, *text) : NULL;
        if (!digit) return 0;
        *value = *value * 16 + (uint64_t)(digit - digits);
    }
    return 1;
}

// Undoes pktseqi_put_escaped in place, where text can only become shorter. Returns 0 for what the
// writer does not write: so a backslash, an escape of JSON that another program has put in, is not
// read as two characters.
static int pktseqi_load_escaped(char *text) {
    char *to = text;
    for (; *text; ++text, ++to) {
        uint64_t byte = (unsigned char)*text;
        if (*text == '\\') return 0;
        if (*text == '%') {
            if (!pktseqi_load_hex(text + 1, 2, &byte) || byte == 0) return 0;
            text += 2;
        }
        *to = (char)byte;
    }
    *to = 0;
    return 1;
}

// The text of an object while its lines are read.
typedef struct pktseqi_lines {
    char *at;          // what has not been read yet; ended in place by zeros as it is read
    const char *line;  // name or text of the line that was read last, for messages
    pktseq_allocator allocator;  // of strings and arrays
} pktseqi_lines;

// Reads one value. Numbers are checked before they are converted to their type, which is undefined
// beyond its range; strings are copied, and checked with the whole member.
static pktseq_status pktseqi_load_value(const pktseqi_member *m, char *at, char *word,
                                        const pktseq_allocator *allocator) {
    int type = m->type & PKTSEQI_TYPE;
    uint64_t bits;
    double number;
    char *copy;
    if (type == PKTSEQI_HEX) {
        if (!pktseqi_load_hex(word, 16, &bits) || word[16]) return PKTSEQ_ERROR_DATA;
        memcpy(at, &bits, sizeof bits);
    } else if (type == PKTSEQI_TEXT || type == PKTSEQI_STRING) {
        if (!pktseqi_load_escaped(word)) return PKTSEQ_ERROR_DATA;
        if (type == PKTSEQI_TEXT && strlen(word) >= m->size) return PKTSEQ_ERROR_DATA;
        if (type == PKTSEQI_TEXT) {
            memcpy(at, word, strlen(word) + 1);
            return PKTSEQ_OK;
        }
        copy = pktseqi_copy(allocator, word);
        memcpy(at, &copy, sizeof copy);
        if (!copy) return PKTSEQ_ERROR_MEMORY;
    } else {
        // An unknown name gets the length of the list, which is out of range.
        if (type == PKTSEQI_NAME) number = (double)pktseqi_find_name(m->names, word);
        else if (!pktseqi_number_parse(word, strlen(word), &number)) return PKTSEQ_ERROR_DATA;
        if (!pktseqi_number_good(m, number)) return PKTSEQ_ERROR_DATA;
        pktseqi_value_set(m, at, number);
    }
    return PKTSEQ_OK;
}

// Makes room for `count` values of a member that is GROWN, and sets its count.
// Each value has at least one byte of the line, so what is allocated is bounded by what is there.
// One zero more ends lists of strings with NULL, also while they are filled: after a failure they
// can be freed.
static pktseq_status pktseqi_load_room(const pktseqi_member *m, void *object, size_t count,
                                       const pktseq_allocator *allocator) {
    size_t size = pktseqi_member_values(m, object).size;
    void *room;
    if (m->type & PKTSEQI_POINTER) {
        if ((m->type & PKTSEQI_TYPE) == PKTSEQI_STRING && (double)count > m->max)
            return PKTSEQ_ERROR_DATA;
        room = pktseqi_alloc_zeroed(allocator, count + 1, size);
        if (!room) return PKTSEQ_ERROR_MEMORY;
        memcpy((char *)object + m->offset, &room, sizeof room);
    } else if (count > m->size / size) {
        return PKTSEQ_ERROR_DATA;
    }
    memcpy((char *)object + m->count_at, &count, sizeof count);
    return PKTSEQ_OK;
}

// Reads the values of a member, "a,b,..", ending each in place.
static pktseq_status pktseqi_load_values(const pktseqi_member *m, void *object, char *text,
                                         const pktseq_allocator *allocator) {
    pktseq_status status = PKTSEQ_OK;
    pktseqi_values v;
    size_t count = 1;
    for (const char *p = text; *p; ++p) count += *p == ',';
    if (m->type & PKTSEQI_GROWN) status = pktseqi_load_room(m, object, count, allocator);
    v = pktseqi_member_values(m, object);
    if (!status && v.count != count) status = PKTSEQ_ERROR_DATA;
    for (size_t i = 0; i < count && !status; ++i) {
        size_t size = strcspn(text, ",");
        text[size] = 0;
        status = pktseqi_load_value(m, v.at + i * v.size, text, allocator);
        text += size + 1;
    }
    return status;
}

// Reads the lines of a zeroed object and moves on past them. Fails with DATA or MEMORY.
// Lines have the order of the list: each is looked for in one place only. A line that comes twice,
// or is not in the list, is not read; whoever ends the text finds it.
static pktseq_status pktseqi_load_members(pktseqi_lines *lines, const pktseqi_member *m,
                                          size_t count, void *object) {
    pktseq_status status = PKTSEQ_OK;
    for (; count > 0 && !status; --count, ++m) {
        size_t size = strlen(m->name);
        char *line = lines->at, *end = strchr(line, ';');
        lines->line = m->name;
        if (end && strncmp(line, m->name, size) == 0 && line[size] == ' ') {
            *end = 0;
            lines->at = end + 1;
            status = pktseqi_load_values(m, object, line + size + 1, &lines->allocator);
        }
        if (!status && !pktseqi_member_good(m, object)) status = PKTSEQ_ERROR_DATA;
    }
    return status;
}

// ---- >>checkpoint: writing safetensors --------------------------------------------------------
//
//   8 bytes   length of the header, little-endian
//   header    {"__metadata__":{"format":"pt", .. ,"pktseq.model":"inputs 3;start input;.."},
//              "encoder.gru.weight_ih_l0":{"dtype":"F32","shape":[..],"data_offsets":[..]}, ..}
//   numbers   tensor after tensor, little-endian; then the velocity of SGD, if there is one
//
// The metadata has up to four entries of lines (see >>members): pktseq.model, pktseq.codec,
// pktseq.training and pktseq.detector. The lists below say what each of them holds.

static const char *const pktseqi_role_name[] = {"both", "input", "context", NULL};
static const char *const pktseqi_order_name[] = {"random", "shuffled", "file", NULL};
static const char *const pktseqi_loss_name[] = {"mse", "nll", NULL};
static const char *const pktseqi_group_name[] = {"number", "flag", "class", NULL};
static const char *const pktseqi_measure_name[] = {"rms", "surprisal", NULL};
static const char *const pktseqi_naming_name[] = {"unknown", "dissector", "ports", NULL};
static const char *const pktseqi_rule_name[] = {"reference", "connection", NULL};

// The only format that is written and read. Formats 1 and 2, of versions up to 0.4.0, had no rule,
// no running scores and no naming of protocols.
// The format changes when an existing line gets another meaning. New lines do not change it, since
// what a file lacks is zero.
#define PKTSEQI_FORMAT "3"
// Not a name of PyTorch's: its optimizers keep one buffer a parameter, in a file of their own.
#define PKTSEQI_VELOCITY "optimizer.velocity"  // (parameters) after the weights, if there is one
#define PKTSEQI_DTYPE (sizeof(pktseq_real) == 4 ? "F32" : "F64")
#define PKTSEQI_MAX_HEADER 100000000u  // bytes; the safetensors library has the same limit

#define PKTSEQI_BELOW_1 (1 - DBL_EPSILON / 2)  // the largest double below 1
#define PKTSEQI_MAX_WHOLE 9007199254740991.0   // 2^53 - 1: doubles hold every whole number to here
// What 32-bit machines can hold, too, so that a file loads on every machine.
#define PKTSEQI_WHOLE_32 4294967295.0

// One line of a list each, with the comma after it, for a member of the struct PKTSEQI_OF, which is
// defined around each list.
#define PKTSEQI_M(name, type, member, min, max, count_at, names) \
    {name, type, offsetof(PKTSEQI_OF, member), sizeof(((PKTSEQI_OF *)0)->member), \
     min, max, count_at, names},
#define PKTSEQI_M_WHOLE(name, member, min, max) \
    PKTSEQI_M(name, PKTSEQI_WHOLE, member, min, max, 0, NULL)
#define PKTSEQI_M_FLAG(name, member) PKTSEQI_M(name, PKTSEQI_FLAG, member, 0, 1, 0, NULL)
#define PKTSEQI_M_NAME(name, member, names) \
    PKTSEQI_M(name, PKTSEQI_NAME, member, 0, PKTSEQI_LENGTH(names) - 2, 0, names)
#define PKTSEQI_M_HEX(name, member) PKTSEQI_M(name, PKTSEQI_HEX, member, 0, 0, 0, NULL)
#define PKTSEQI_M_REAL(name, member, min, max) \
    PKTSEQI_M(name, PKTSEQI_REAL, member, min, max, 0, NULL)
#define PKTSEQI_M_RISING(name, member) \
    PKTSEQI_M(name, PKTSEQI_REAL | PKTSEQI_RISING, member, -DBL_MAX, DBL_MAX, 0, NULL)
#define PKTSEQI_M_ARRAY(name, type, member, min, max, count) \
    PKTSEQI_M(name, (type) | PKTSEQI_COUNTED, member, min, max, offsetof(PKTSEQI_OF, count), NULL)

// "pktseq.model": these lines, then those of each group of outputs. The sizes D, O and H are not
// here: the shapes of the tensors say them, and nothing else.
#define PKTSEQI_OF pktseq_config
static const pktseqi_member pktseqi_model_members[] = {
    PKTSEQI_M_WHOLE("inputs", inputs, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_NAME("start", start, pktseqi_start_name)
    PKTSEQI_M_NAME("loss", loss, pktseqi_loss_name)
    PKTSEQI_M_WHOLE("groups", groups, 1, PKTSEQI_WHOLE_32)
};
#undef PKTSEQI_OF
#define PKTSEQI_OF pktseq_group
static const pktseqi_member pktseqi_group_members[] = {
    PKTSEQI_M_NAME("group", kind, pktseqi_group_name)
    PKTSEQI_M_WHOLE("outputs", count, 1, PKTSEQI_WHOLE_32)
};
#undef PKTSEQI_OF

// "pktseq.codec": these lines, then those of each field. pktseqi_rule_check knows the ranges of a
// rule; its secret does not belong in a file.
#define PKTSEQI_OF pktseq_codec
static const pktseqi_member pktseqi_codec_members[] = {
    PKTSEQI_M_NAME("names", naming, pktseqi_naming_name)
    // how packets become sequences: kind, names, limits in packets, seconds and table sizes
    PKTSEQI_M_NAME("rule", rule.kind, pktseqi_rule_name)
    PKTSEQI_M_FLAG("reference_names", rule.reference_names)
    PKTSEQI_M_FLAG("tcp_only", rule.tcp_only)
    PKTSEQI_M_WHOLE("min_length", rule.min_length, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("max_length", rule.max_length, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_REAL("window", rule.window, 0, DBL_MAX)
    PKTSEQI_M_REAL("idle", rule.idle, 0, DBL_MAX)
    PKTSEQI_M_WHOLE("max_connections", rule.max_connections, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("max_pairs", rule.max_pairs, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("max_packets", rule.max_packets, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("fields", field_count, 1, PKTSEQ_MAX_FEATURES + PKTSEQ_MAX_CONTEXTS)
};
#undef PKTSEQI_OF
#define PKTSEQI_OF pktseq_field
static const pktseqi_member pktseqi_field_members[] = {
    PKTSEQI_M_NAME("kind", kind, pktseqi_kind_name)
    PKTSEQI_M("column", PKTSEQI_STRING, column, 0, 0, 0, NULL)
    PKTSEQI_M_NAME("role", role, pktseqi_role_name)
    // what was learned: of numbers a mean and a deviation, of text its categories, in order
    PKTSEQI_M_REAL("mean", mean, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("sd", sd, 0, DBL_MAX)
    PKTSEQI_M_ARRAY("categories", PKTSEQI_STRING | PKTSEQI_POINTER | PKTSEQI_GROWN, category, 0,
                    PKTSEQI_MOST_NAMES, category_count)
};
#undef PKTSEQI_OF

// "pktseq.training": whatever a step depends on is here or in the tensors, so that a resumed run
// gives the bits of one that was not interrupted. Callbacks and the number of threads are not here:
// results do not depend on them. After a run was called again with other settings, sums and counts
// may be those of the previous settings.
#define PKTSEQI_OF pktseq_training
static const pktseqi_member pktseqi_training_members[] = {
    PKTSEQI_M("recipe", PKTSEQI_TEXT, description, 0, 0, 0, NULL)
    PKTSEQI_M_WHOLE("iteration", iteration, 1, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("iterations", config.iterations, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("batch", config.batch, 1, PKTSEQI_WHOLE_32)
    PKTSEQI_M_REAL("learning_rate", config.learning_rate, 0, DBL_MAX)
    PKTSEQI_M_REAL("momentum", config.momentum, 0, PKTSEQI_BELOW_1)
    PKTSEQI_M_REAL("clip", config.clip, 0, DBL_MAX)
    PKTSEQI_M_REAL("teacher_forcing", config.teacher_forcing, 0, 1)
    PKTSEQI_M_NAME("order", config.order, pktseqi_order_name)
    PKTSEQI_M_HEX("seed", config.seed)
    PKTSEQI_M_WHOLE("report_interval", config.report_interval, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_WHOLE("loss_interval", config.loss_interval, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_ARRAY("milestones", PKTSEQI_BYTE | PKTSEQI_GROWN, config.milestone, 1, 100,
                    config.milestone_count)
    // which data: a run is only resumed on the same ones
    PKTSEQI_M_HEX("data", data_hash)
    PKTSEQI_M_WHOLE("drop_last", drop_last, 0, 1)
    PKTSEQI_M_REAL("hold_out", hold_out, 0, PKTSEQI_BELOW_1)
    // sums that the next report and the next loss of the history continue
    PKTSEQI_M_REAL("report_sum", report_sum, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_WHOLE("report_count", report_count, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_REAL("loss_sum", loss_sum, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_WHOLE("loss_sum_count", loss_sum_count, 0, PKTSEQI_WHOLE_32)
    PKTSEQI_M_ARRAY("losses", PKTSEQI_REAL | PKTSEQI_POINTER | PKTSEQI_GROWN, loss, -DBL_MAX,
                    DBL_MAX, losses)
};
#undef PKTSEQI_OF

// "pktseq.detector". The model gives the numbers of groups and outputs. The arrays lie in one
// block, which is allocated after the first line. Errors and scales are divisors, so not zero.
#define PKTSEQI_OF pktseq_detector
#define PKTSEQI_M_REALS(name, more, member, min, count) \
    PKTSEQI_M_ARRAY(name, PKTSEQI_REAL | PKTSEQI_POINTER | more, member, min, DBL_MAX, count)
static const pktseqi_member pktseqi_detector_members[] = {
    PKTSEQI_M_WHOLE("contexts", contexts, 0, PKTSEQ_MAX_CONTEXTS)
    // options: how a score is made
    PKTSEQI_M_NAME("measure", options.measure, pktseqi_measure_name)
    PKTSEQI_M_FLAG("one_step_ahead", options.one_step_ahead)
    PKTSEQI_M_FLAG("by_length", options.by_length)
    PKTSEQI_M_REAL("context", options.context, 0, PKTSEQI_BELOW_1)
    PKTSEQI_M_REAL("false_positive_rate", options.false_positive_rate, 0, 1)
    // the normal traffic that it was fitted to
    PKTSEQI_M_WHOLE("sequences", sequences, 0, PKTSEQI_MAX_WHOLE)
    PKTSEQI_M_REAL("seconds", seconds, 0, DBL_MAX)
    PKTSEQI_M_REAL("unknown", unknown, 0, 1)
    // what the parts of a score are multiplied and divided by
    PKTSEQI_M_REALS("weight", 0, weight, 0, groups)
    PKTSEQI_M_REALS("error", 0, error, DBL_MIN, out)
    PKTSEQI_M_REALS("mean", 0, mean, -DBL_MAX, contexts)
    PKTSEQI_M_REALS("precision", PKTSEQI_SQUARED, precision, -DBL_MAX, contexts)
    PKTSEQI_M_REAL("scale", scale, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("length_scale", length_scale, DBL_MIN, DBL_MAX)
    // the threshold with its 95 % range; then the distribution of normal scores, from which the
    // threshold of any other rate follows, and the same of running scores
    PKTSEQI_M_REAL("threshold", threshold, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("threshold_low", threshold_low, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("threshold_high", threshold_high, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("dispersion", dispersion, 0, DBL_MAX)
    PKTSEQI_M_RISING("quantile", scores.quantile)
    PKTSEQI_M_REAL("tail_from", scores.tail[0], -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("tail_above", scores.tail[1], 0, 1)
    PKTSEQI_M_REAL("tail_shape", scores.tail[2], -1, 1)
    PKTSEQI_M_REAL("tail_scale", scores.tail[3], 0, DBL_MAX)
    PKTSEQI_M_REAL("running_scale", running_scale, DBL_MIN, DBL_MAX)
    PKTSEQI_M_REAL("running_threshold", running_threshold, -DBL_MAX, DBL_MAX)
    PKTSEQI_M_RISING("running_quantile", running.quantile)
    PKTSEQI_M_REAL("running_tail_from", running.tail[0], -DBL_MAX, DBL_MAX)
    PKTSEQI_M_REAL("running_tail_above", running.tail[1], 0, 1)
    PKTSEQI_M_REAL("running_tail_shape", running.tail[2], -1, 1)
    PKTSEQI_M_REAL("running_tail_scale", running.tail[3], 0, DBL_MAX)
};
#undef PKTSEQI_M_REALS
#undef PKTSEQI_OF

// A list and its length, as arguments.
#define PKTSEQI_LIST(list) list, PKTSEQI_LENGTH(list)

// Appends the entries of the metadata for model, codec, training and detector; NULL: none.
// A failure leaves text that nobody uses.
static pktseq_status pktseqi_put_entries(pktseqi_text *t, const pktseq_model *model,
                                         const pktseq_codec *codec,
                                         const pktseq_training *training,
                                         const pktseq_detector *detector, pktseq_error *err) {
    pktseq_status status;
    pktseqi_put_text(t, ",\"pktseq.model\":\"");
    status = pktseqi_put_members(t, PKTSEQI_LIST(pktseqi_model_members), &model->config, err);
    for (size_t g = 0; g < model->config.groups && !status; ++g)
        status = pktseqi_put_members(t, PKTSEQI_LIST(pktseqi_group_members),
                                     &model->config.group[g], err);
    if (codec && !status) {
        pktseq_codec written = *codec;  // of the struct alone: fields stay the codec's
        // An invalid rule, as in a codec made by hand, is written as none.
        if (pktseqi_rule_check(&codec->rule, NULL)) memset(&written.rule, 0, sizeof written.rule);
        pktseqi_put_text(t, "\",\"pktseq.codec\":\"");
        status = pktseqi_put_members(t, PKTSEQI_LIST(pktseqi_codec_members), &written, err);
        for (size_t f = 0; f < codec->field_count && !status; ++f)
            status = pktseqi_put_members(t, PKTSEQI_LIST(pktseqi_field_members), &codec->field[f],
                                         err);
    }
    if (training && !status) {
        pktseqi_put_text(t, "\",\"pktseq.training\":\"");
        status = pktseqi_put_members(t, PKTSEQI_LIST(pktseqi_training_members), training, err);
    }
    if (detector && !status) {
        pktseqi_put_text(t, "\",\"pktseq.detector\":\"");
        status = pktseqi_put_members(t, PKTSEQI_LIST(pktseqi_detector_members), detector, err);
    }
    pktseqi_put_text(t, "\"");
    return status;
}

// The tensors of a file: the model's, and the velocity, which training with momentum needs to
// resume. That has no shape of its own: it is one vector, in the order of the parameters.
enum { PKTSEQI_ENTRIES = PKTSEQ_TENSOR_COUNT + 1 };
static void pktseqi_entry_list(const pktseq_config *config, pktseq_tensor *known) {
    pktseqi_tensor_list(config, NULL, known);
    known[PKTSEQ_TENSOR_COUNT].name = PKTSEQI_VELOCITY;
    known[PKTSEQ_TENSOR_COUNT].rows = pktseqi_parameters(config);
    known[PKTSEQ_TENSOR_COUNT].cols = 1;
    known[PKTSEQ_TENSOR_COUNT].rank = 1;
}

// Appends the descriptions of the first `entries` tensors. Offsets count from the end of the
// header, which spaces fill up to a multiple of 8 bytes, so that the numbers are aligned in the
// file. rows * cols cannot wrap: pktseqi_parameters has checked it when the model was made.
static void pktseqi_put_tensors(pktseqi_text *t, const pktseq_config *config, size_t entries) {
    pktseq_tensor tensor[PKTSEQI_ENTRIES];
    size_t offset = 0;
    pktseqi_entry_list(config, tensor);
    for (size_t i = 0; i < entries; ++i) {
        size_t end = offset + tensor[i].rows * tensor[i].cols * sizeof(pktseq_real);
        pktseqi_put(t, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%z", tensor[i].name, PKTSEQI_DTYPE,
                    tensor[i].rows);
        if (tensor[i].rank == 2) pktseqi_put(t, ",%z", tensor[i].cols);
        pktseqi_put(t, "],\"data_offsets\":[%z,%z]}", offset, end);
        offset = end;
    }
    pktseqi_put_text(t, "}");
    while (t->size % 8 && !t->failed) pktseqi_put_text(t, " ");
}

// Writes the lowest `bytes` bytes of a number, little-endian.
// By shifts, so that the byte order of the machine does not matter; compilers make one store of it.
static void pktseqi_write_u64(void *to, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) ((unsigned char *)to)[i] = (unsigned char)(value >> (8 * i));
}

// Appends (count) numbers. Fails with DATA if one is not finite: it would make every later score
// NaN, so the previous file is worth more than this one.
//   what   what they are, for the message
static pktseq_status pktseqi_put_reals(pktseqi_text *t, const char *what, const pktseq_real *value,
                                       size_t count, pktseq_error *err) {
    unsigned char bytes[8];
    for (size_t i = 0; i < count; ++i) {
        if (!pktseqi_finite_real(&value[i]))
            return PKTSEQI_DATA_ERROR(err, "%s %z is not a finite number", what, i);
        pktseqi_write_u64(bytes, pktseqi_real_bits(&value[i]), sizeof *value);
        pktseqi_put_bytes(t, bytes, sizeof *value);
    }
    return PKTSEQ_OK;
}

// Hashes a whole file except the 16 bytes at `hole`, where the digits of the hash are.
static uint64_t pktseqi_checksum(const unsigned char *data, size_t size, size_t hole) {
    uint64_t hash = pktseqi_fnv(PKTSEQI_FNV_START, data, hole);
    return pktseqi_fnv(hash, data + hole + 16, size - hole - 16);
}

// Checks that the parts of one file belong together, when they are saved and when they were loaded.
// A part that is NULL or empty is not in the file.
static pktseq_status pktseqi_parts_check(const pktseq_model *model, const pktseq_codec *codec,
                                         const pktseq_detector *d, pktseq_error *err) {
    if (codec && !codec->field_count) codec = NULL;
    if (codec && (codec->features != model->config.in || codec->targets != model->config.out))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the codec makes %z features of which "
                             "%z are targets, the model takes %z and puts out %z", codec->features,
                             codec->targets, model->config.in, model->config.out);
    // Weights and means of a detector are in the order of the codec's groups and fields.
    if (d && d->memory &&
        (!pktseqi_detector_fits(d, model) || (d->options.context > 0 && !d->contexts) ||
         (codec && (codec->contexts != d->contexts || codec->groups != d->groups))))
        return pktseqi_error(err, PKTSEQ_ERROR_MISMATCH, 0, "the detector is another model's or "
                             "another codec's");
    return PKTSEQ_OK;
}

// Fails with ARGUMENT if members of a training state contradict each other. Saving and loading both
// call it, so that a state that a program filled itself is refused while it can still be mended.
// Sums, counts and losses are of iterations that were done, so there cannot be more of them.
static pktseq_status pktseqi_training_check(const pktseq_training *t, pktseq_error *err) {
    static const char *const name[] = {"report_count", "loss_sum_count", "losses"};
    const size_t count[] = {t->report_count, t->loss_sum_count, t->losses};
    pktseq_status status = pktseqi_train_config_check(&t->config, err);
    if (status) return status;
    if (t->iteration > t->config.iterations)
        return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "the training's iteration is %z, "
                             "expected at most config.iterations, %z", t->iteration,
                             t->config.iterations);
    for (size_t i = 0; i < PKTSEQI_LENGTH(count); ++i)
        if (count[i] > t->iteration)
            return pktseqi_error(err, PKTSEQ_ERROR_ARGUMENT, 0, "the training's %s is %z, expected "
                                 "at most its iteration, %z", name[i], count[i], t->iteration);
    if (t->losses && !t->loss) return pktseqi_bad_argument(err, "the training's loss is NULL");
    if (t->config.momentum > 0 && !t->velocity)
        return pktseqi_bad_argument(err, "the training has momentum, but no velocity (in a file: "
                                         "tensor \"" PKTSEQI_VELOCITY "\")");
    return PKTSEQ_OK;
}

// Appends a whole file. It is made in memory as a whole, since its first bytes, the length of the
// header and the checksum, depend on all others; a model of H = 256 takes 2 MB.
static pktseq_status pktseqi_put_file(pktseqi_text *t, const pktseq_model *model,
                                      const pktseq_codec *codec, const pktseq_training *training,
                                      const pktseq_detector *detector, pktseq_error *err) {
    int moves = training && training->velocity;
    size_t hole, header;
    char digits[17];
    pktseqi_text sum = pktseqi_text_fixed(digits, sizeof digits);
    pktseq_status status;
    pktseqi_put_bytes(t, "\0\0\0\0\0\0\0\0", 8);
    pktseqi_put_text(t, "{\"__metadata__\":{\"format\":\"pt\",\"pktseq.format\":\"" PKTSEQI_FORMAT
                        "\",\"pktseq.version\":\"" PKTSEQ_VERSION "\",\"pktseq.checksum\":\"");
    hole = t->size;  // an offset, since the text moves when it grows
    pktseqi_put_text(t, "0000000000000000\"");
    status = pktseqi_put_entries(t, model, codec, training, detector, err);
    if (status) return status;
    pktseqi_put_text(t, "}");
    pktseqi_put_tensors(t, &model->config, moves ? PKTSEQI_ENTRIES : PKTSEQ_TENSOR_COUNT);
    header = t->size - 8;
    if (!t->failed && header > PKTSEQI_MAX_HEADER)
        return PKTSEQI_DATA_ERROR(err, "the header would have %z bytes, expected at most %z (fewer "
                                  "loss points?)", header, (size_t)PKTSEQI_MAX_HEADER);
    status = pktseqi_put_reals(t, "weight", model->block, model->parameters, err);
    if (moves && !status)
        status = pktseqi_put_reals(t, "velocity", training->velocity, training->parameters, err);
    if (status) return status;
    if (t->failed) return pktseqi_no_memory(err);
    // Last, the length and the checksum, in the places that were left for them.
    pktseqi_write_u64(t->data, header, 8);
    pktseqi_put_hex(&sum, pktseqi_checksum((unsigned char *)t->data, t->size, hole), 16);
    memcpy(t->data + hole, digits, 16);
    return PKTSEQ_OK;
}

PKTSEQ_DEF pktseq_status pktseq_save_mem(const pktseq_model *model, const pktseq_codec *codec,
                                         const pktseq_training *training,
                                         const pktseq_detector *detector, pktseq_buffer *buffer,
                                         const pktseq_allocator *allocator, pktseq_error *err) {
    pktseqi_text t = pktseqi_text_growing(allocator);
    pktseq_status status;
    if (!buffer) return pktseqi_bad_argument(err, "buffer is NULL");
    memset(buffer, 0, sizeof *buffer);
    if (!model || !model->block) return pktseqi_bad_argument(err, "model is NULL or empty");
    // Parts that are empty, as after loading a file without them, are not saved.
    if (codec && codec->field_count == 0) codec = NULL;
    if (training && training->iteration == 0) training = NULL;
    if (detector && !detector->memory) detector = NULL;
    if (training && training->velocity && training->parameters != model->parameters)
        return pktseqi_bad_argument(err, "the training state is another model's");
    status = pktseqi_parts_check(model, codec, detector, err);
    if (!status && training) status = pktseqi_training_check(training, err);
    if (!status) status = pktseqi_put_file(&t, model, codec, training, detector, err);
    if (status) {
        pktseqi_free(&t.allocator, t.data);
        return status;
    }
    pktseqi_text_give(&t, buffer);
    return pktseqi_ok(err);
}

// ---- >>json: the JSON of a safetensors header -------------------------------------------------
//
// A cursor and no tree: the format has strings, whole numbers, lists of them and objects of known
// depth, so the code bounds the depth, whatever a file nests. The header is copied once; in the
// copy strings are ended by zeros in place and never moved. Escapes are undone in names, so that
// equal names are equal, and stay in values: those that matter have none (see >>members).
//
// After the first error nothing more is read: every function then returns what ends the loop that
// called it, so only the caller of all of them looks at `status`.
typedef struct pktseqi_json {
    char *text, *at, *end;  // the copy, the cursor, the 0 after the copy
    pktseq_status status;
    pktseq_error *err;
} pktseqi_json;

// Fails with a sentence, unless something has failed before.
#define PKTSEQI_JSON_ERROR(json, ...) \
    ((json)->status = (json)->status ? (json)->status \
                                     : PKTSEQI_DATA_ERROR((json)->err, __VA_ARGS__))

// Reports what the cursor points at, and what was expected there instead.
// Bytes are counted from the beginning of the file, as a hex dump does; the header begins at 8.
static void pktseqi_json_error(pktseqi_json *json, const char *expected) {
    size_t byte = 8 + (size_t)(json->at - json->text);
    char found[2] = {*json->at, 0};
    if (json->at >= json->end)
        PKTSEQI_JSON_ERROR(json, "the header ends at byte %z, expected %s", byte, expected);
    else if (!found[0])
        PKTSEQI_JSON_ERROR(json, "header, byte %z: found a NUL byte, expected %s", byte, expected);
    else
        PKTSEQI_JSON_ERROR(json, "header, byte %z: found %q, expected %s", byte, found, expected);
}

// Returns the next character after white space; 0 at the end and after an error.
// The 0 after the copy stops strspn, so the cursor never passes the end.
static int pktseqi_json_peek(pktseqi_json *json) {
    json->at += strspn(json->at, " \t\n\r");
    return json->status ? 0 : *json->at;
}

// Steps over one character after white space.
static void pktseqi_json_expect(pktseqi_json *json, int c, const char *expected) {
    if (pktseqi_json_peek(json) == c) ++json->at;
    else pktseqi_json_error(json, expected);
}

// Returns 1 if there is one more member or element: steps over the comma before it, or `close`.
//   first   1 before the first one, set to 0
// A comma before a closing bracket is refused, as JSON has none there.
static int pktseqi_json_next(pktseqi_json *json, int close, int *first) {
    int c = pktseqi_json_peek(json), was = *first;
    *first = 0;
    if (was && c != close) return json->status == PKTSEQ_OK;
    if (c == ',' || c == close) ++json->at;
    else pktseqi_json_error(json, close == '}' ? "',' or '}'" : "',' or ']'");
    return c == ',' && !was;
}

// Returns the number of bytes of one character of a string, or 0 for an invalid one.
// Control characters have to be escaped in JSON (RFC 8259, section 7). A 0 is one of them, so the
// end of the copy ends a string as well, with an error.
static size_t pktseqi_json_char(const char *at) {
    if (at[0] != '\\') return (unsigned char)at[0] >= 32;
    if (at[1] && strchr("\"\\/bfnrt", at[1])) return 2;
    return at[1] == 'u' && strspn(at + 2, "0123456789abcdefABCDEF") >= 4 ? 6 : 0;
}

// Reads a string without undoing its escapes; "" after an error.
// The closing quote becomes the 0 that ends a C string. UTF-8 was checked for the whole header.
static char *pktseqi_json_string(pktseqi_json *json) {
    char *begin;
    pktseqi_json_expect(json, '"', "a string");
    begin = json->at;
    while (!json->status && *json->at != '"') {
        size_t size = pktseqi_json_char(json->at);
        if (!size)
            pktseqi_json_error(json, *json->at == '\\' ? "a valid escape"
                                                       : "text and a closing quote");
        json->at += size;
    }
    if (json->status) return json->end;
    *json->at++ = 0;
    return begin;
}

// Undoes the escapes of a name in place: "a" and "\u0061" are one name to readers that decode.
// Returns 0 if an escape stands for NUL or for a character that is not ASCII.
static int pktseqi_json_unescape(char *text) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *put = text;
    for (size_t size; *text; text += size) {
        int code = *text;
        size = pktseqi_json_char(text);
        if (size > 1) code = size == 2 ? to[strchr(from, text[1]) - from] : 0;
        for (size_t i = 2; i < size; ++i)  // four hexadecimal digits
            code = code * 16 + (text[i] <= '9' ? text[i] - '0' : (text[i] | 32) - 'a' + 10);
        if (size > 1 && (code == 0 || code > 127)) return 0;
        *put++ = (char)code;
    }
    *put = 0;
    return 1;
}

// Reads the name of a member and the colon after it.
static char *pktseqi_json_key(pktseqi_json *json) {
    char *key = pktseqi_json_string(json);
    if (!json->status && !pktseqi_json_unescape(key))
        PKTSEQI_JSON_ERROR(json, "header: found the name %q, expected escapes of ASCII only", key);
    pktseqi_json_expect(json, ':', "':'");
    return key;
}

// Reads a whole number of plain digits below 2^53: from there on, readers that hold numbers as
// doubles, as JavaScript does, read another number.
static uint64_t pktseqi_json_whole(pktseqi_json *json) {
    int c = pktseqi_json_peek(json);
    uint64_t value = 0;
    if (c < '0' || c > '9') pktseqi_json_error(json, "a whole number");
    for (; c >= '0' && c <= '9'; c = *json->at) {
        value = value * 10 + (uint64_t)(c - '0');
        ++json->at;
        if (value >= (uint64_t)1 << 53) pktseqi_json_error(json, "a number below 2^53");
        if (value == 0 || json->status) break;  // no digits follow a leading zero
    }
    return value;
}

// Reads `[a, b]` of at most two numbers; returns how many.
// A matrix has two sizes, a vector one, and a place has a begin and an end.
static int pktseqi_json_array(pktseqi_json *json, uint64_t value[2]) {
    int first = 1, count = 0;
    pktseqi_json_expect(json, '[', "'['");
    while (pktseqi_json_next(json, ']', &first)) {
        if (count == 2) pktseqi_json_error(json, "at most two numbers");
        else value[count++] = pktseqi_json_whole(json);
    }
    return count;
}

// ---- >>load: reading safetensors, trusting nothing --------------------------------------------
//
// In the order of pktseq_load_mem:
//   open       the frame: 8 bytes, a header of that length, a copy of it
//   header     its JSON: entries of metadata, descriptions of tensors
//   shapes     D, O, H; every shape and every offset, to the last byte of the file
//   config     whether the file is ours, its checksum, the model's settings
//   codec, training, velocity, weights, detector   what was requested of them
// Each step relies on what the previous ones have checked, and the first failure is the one that is
// reported. Nothing is allocated that the size of the file does not bound.

// One entry of "__metadata__", in the copy of the header.
typedef struct pktseqi_meta {
    char *key, *value;
} pktseqi_meta;

// One tensor as the file describes it. Nothing is computed from these numbers before
// pktseqi_load_shapes has compared them with those of a model of these sizes.
typedef struct pktseqi_entry {
    int found, rank;
    size_t shape[2];
    uint64_t begin, end;  // bytes after the header
    size_t width;         // bytes a number
} pktseqi_entry;

// Each entry of the metadata is compared with all others, to find names that occur twice. 1,024
// take at most half a million comparisons; 300,000 would take minutes. This library writes 8.
enum { PKTSEQI_MAX_META = 1024 };

// All that a header says. Zeroed before the first use, so that it can be freed after any failure.
// Nothing of it outlives pktseq_load_mem: model, codec and the others have copies.
typedef struct pktseqi_header {
    pktseqi_json json;
    pktseqi_entry entry[PKTSEQI_ENTRIES];
    pktseq_tensor known[PKTSEQI_ENTRIES];  // the same, as a model of these sizes has them
    pktseq_config config;  // D, O, H from the shapes, the rest from the metadata
    pktseqi_meta *meta;    // (metas)
    size_t metas;
    const unsigned char *data;  // (size) the whole file
    size_t size, data_at;       // where the numbers begin
    const char *key;            // the entry of the metadata that is read
    pktseqi_lines lines;        // and its text; with the allocator of all that is loaded
} pktseqi_header;

// Reads what pktseqi_write_u64 writes.
static uint64_t pktseqi_read_u64(const unsigned char *from, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;) value = (value << 8) | from[i];
    return value;
}

// Reads {"dtype":"F32","shape":[r,c],"data_offsets":[b,e]}, each member once, in any order, as
// writers differ in it. The format has no other members, and readers differ in what they take a
// missing or repeated one for, so both are refused.
static void pktseqi_load_entry(pktseqi_json *json, pktseqi_entry *entry) {
    static const char *const name[] = {"dtype", "shape", "data_offsets", NULL};
    static const char all[] = "dtype, shape and data_offsets, each once";
    int seen = 0, first = 1;  // a bit for each of the three
    entry->found = 1;
    pktseqi_json_expect(json, '{', "'{'");
    while (pktseqi_json_next(json, '}', &first)) {
        size_t member = pktseqi_find_name(name, pktseqi_json_key(json));
        uint64_t number[2] = {1, 1};  // a vector has one column
        if (member == 3 || seen >> member & 1) pktseqi_json_error(json, all);
        seen |= 1 << member;
        if (member == 0) {
            const char *type = pktseqi_json_string(json);
            entry->width = strcmp(type, "F32") == 0 ? 4 : strcmp(type, "F64") == 0 ? 8 : 0;
            if (!entry->width)
                PKTSEQI_JSON_ERROR(json, "header: found dtype %q, expected F32 or F64", type);
        } else if (member == 1) {
            // Numbers are below 2^53, which a size_t of 32 bits does not hold.
            entry->rank = pktseqi_json_array(json, number);
            if (number[0] > (size_t)-1 || number[1] > (size_t)-1)
                pktseqi_json_error(json, "a size that fits this machine");
            entry->shape[0] = (size_t)number[0];
            entry->shape[1] = (size_t)number[1];
        } else {
            if (pktseqi_json_array(json, number) < 2) pktseqi_json_error(json, "two numbers");
            entry->begin = number[0];
            entry->end = number[1];
        }
    }
    if (seen != 7) pktseqi_json_error(json, all);
}

// Returns the value of an entry of the metadata, or NULL. Keys are compared one by one: there are
// few.
static char *pktseqi_load_meta(const pktseqi_header *header, const char *key) {
    for (size_t i = 0; i < header->metas; ++i)
        if (strcmp(header->meta[i].key, key) == 0) return header->meta[i].value;
    return NULL;
}

// Reads {"key":"value", ..}. Metadata of other programs may hold anything: names of datasets,
// dates, licences. But no key may occur twice: readers differ in which of the two values they take.
static void pktseqi_load_metadata(pktseqi_header *header) {
    pktseqi_json *json = &header->json;
    int first = 1;
    if (header->meta) pktseqi_json_error(json, "__metadata__ only once");
    if (json->status) return;
    // 16 kB, for any number of entries: it is not worth growing.
    header->meta = (pktseqi_meta *)pktseqi_alloc(&header->lines.allocator, PKTSEQI_MAX_META,
                                                 sizeof *header->meta);
    if (!header->meta) json->status = pktseqi_no_memory(json->err);
    pktseqi_json_expect(json, '{', "'{'");
    while (pktseqi_json_next(json, '}', &first)) {
        pktseqi_meta meta;
        if (header->metas == PKTSEQI_MAX_META)
            pktseqi_json_error(json, "at most 1024 entries of metadata");
        meta.key = pktseqi_json_key(json);
        if (pktseqi_load_meta(header, meta.key))
            PKTSEQI_JSON_ERROR(json, "header: found metadata %q twice", meta.key);
        meta.value = pktseqi_json_string(json);
        if (!json->status) header->meta[header->metas++] = meta;
    }
}

// Reads the whole JSON: metadata, the ten tensors, and perhaps the velocity, each once. A name that
// occurs twice is refused, as other readers might take the other one: the file would be one model
// here and another one elsewhere.
static pktseq_status pktseqi_load_header(pktseqi_header *header) {
    pktseqi_json *json = &header->json;
    int first = 1;
    pktseqi_entry_list(&header->config, header->known);  // names; sizes are not known yet
    // Once for the whole header, before zeros end strings in it.
    if (!pktseqi_utf8(json->text, (size_t)(json->end - json->text)))
        pktseqi_json_error(json, "UTF-8 text");
    if (*json->at == '{') ++json->at;  // the format has no white space before it
    else pktseqi_json_error(json, "'{'");
    while (pktseqi_json_next(json, '}', &first)) {
        size_t i = 0;  // of the tensor
        const char *key = pktseqi_json_key(json);
        while (i < PKTSEQI_ENTRIES && strcmp(header->known[i].name, key) != 0) ++i;
        if (strcmp(key, "__metadata__") == 0)
            pktseqi_load_metadata(header);
        else if (i < PKTSEQI_ENTRIES && !header->entry[i].found)
            pktseqi_load_entry(json, &header->entry[i]);
        else
            PKTSEQI_JSON_ERROR(json, "header: found tensor %q%s", key,
                               i == PKTSEQI_ENTRIES ? ", which is not one of this model's"
                                                    : " twice");
    }
    json->at += strspn(json->at, " ");
    if (json->at < json->end) pktseqi_json_error(json, "only spaces at the end");
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT && !json->status; ++i)
        if (!header->entry[i].found)
            PKTSEQI_JSON_ERROR(json, "header: tensor %q is missing", header->known[i].name);
    return json->status;
}

// Finds D, O and H from the shapes, then checks every shape, and that the numbers fill the file
// from the header to the end without hole or overlap.
// A reader that trusts offsets can be made to read one tensor as another, or memory after the file.
// Here each is compared with its shape, by products that cannot wrap, and together they have to
// cover every byte once.
static pktseq_status pktseqi_load_shapes(pktseqi_header *header) {
    pktseq_error *err = header->json.err;
    uint64_t bytes = header->size - header->data_at, at = 0;
    size_t entries = header->entry[PKTSEQ_TENSOR_COUNT].found ? PKTSEQI_ENTRIES
                                                              : PKTSEQ_TENSOR_COUNT;
    // The columns of the encoder's two matrices and the rows of the last layer; the other shapes
    // follow from them and have to agree.
    header->config.in = header->entry[0].shape[1];
    header->config.hidden = header->entry[1].shape[1];
    header->config.out = header->entry[8].shape[0];
    if (!pktseqi_parameters(&header->config))
        return PKTSEQI_DATA_ERROR(err, "header: the shapes make a model of %z, %z and %z units, "
                                  "too large or 0", header->config.in, header->config.hidden,
                                  header->config.out);
    pktseqi_entry_list(&header->config, header->known);
    for (size_t i = 0; i < entries; ++i) {
        const pktseqi_entry *e = &header->entry[i];
        const pktseq_tensor *known = &header->known[i];
        size_t need = pktseqi_times(known->rows * known->cols, e->width);
        if (e->rank != known->rank || e->shape[0] != known->rows || e->shape[1] != known->cols)
            return PKTSEQI_DATA_ERROR(err, "tensor %q: found shape [%z, %z], expected [%z, %z]",
                                      known->name, e->shape[0], e->shape[1], known->rows,
                                      known->cols);
        if (e->end < e->begin || e->end - e->begin != need)
            return PKTSEQI_DATA_ERROR(err, "tensor %q: its offsets do not fit its %z byte%S",
                                      known->name, need);
    }
    // The next tensor is the one that begins where the last one ended. None is empty, so `at`
    // grows.
    for (size_t left = entries; left > 0; --left) {
        size_t i = 0;
        while (i < entries && header->entry[i].begin != at) ++i;
        if (i == entries)
            return PKTSEQI_DATA_ERROR(err, "no tensor begins at offset %z, so there is a hole or "
                                      "an overlap", (size_t)at);
        at = header->entry[i].end;
    }
    if (at > bytes)
        return PKTSEQI_DATA_ERROR(err, "the file is cut off: %z byte%S missing at its end",
                                  (size_t)(at - bytes));
    if (at < bytes)
        return PKTSEQI_DATA_ERROR(err, "found %z byte%S after the last tensor, expected none",
                                  (size_t)(bytes - at));
    return PKTSEQ_OK;
}

// Begins to read an entry of the metadata. Returns 0 if there is none.
static int pktseqi_load_find(pktseqi_header *header, const char *key) {
    header->key = key;
    header->lines.at = pktseqi_load_meta(header, key);
    return header->lines.at != NULL;
}

// Reports an invalid entry of the metadata and the line at which reading stopped: the one that is
// invalid, or the name of one that is missing. One sentence for all that can be wrong is enough,
// since nobody writes them by hand.
static pktseq_status pktseqi_bad_meta(const pktseqi_header *header, const char *key) {
    const char *line = header->lines.line;
    return PKTSEQI_DATA_ERROR(header->json.err, "header: metadata %q: %q is missing or not what "
                              "this version writes", key, line ? line : key);
}

// Ends an entry: reports a failure, also of text after its last line.
// Running out of memory is never reported as bad data: the same file may load the next time.
static pktseq_status pktseqi_load_end(pktseqi_header *header, pktseq_status status) {
    pktseqi_lines *lines = &header->lines;
    if (status == PKTSEQ_ERROR_MEMORY) return pktseqi_no_memory(header->json.err);
    if (!status && *lines->at) lines->line = lines->at;
    return status || *lines->at ? pktseqi_bad_meta(header, header->key) : PKTSEQ_OK;
}

// Sets *ours if the file has metadata of this library, and checks checksum and format of such a
// file. The checksum comes first, so that a damaged file is not reported as another version's, nor
// a damaged value as a mistake of whoever trained it.
static pktseq_status pktseqi_load_ours(pktseqi_header *header, int *ours) {
    const char *format = pktseqi_load_meta(header, "pktseq.format");
    const char *checksum = pktseqi_load_meta(header, "pktseq.checksum");
    const char *version = pktseqi_load_meta(header, "pktseq.version");
    const char *pt = pktseqi_load_meta(header, "format");
    uint64_t sum;
    *ours = 0;
    for (size_t i = 0; i < header->metas; ++i)
        *ours |= strncmp(header->meta[i].key, "pktseq", 6) == 0;
    if (!*ours) return PKTSEQ_OK;
    if (!checksum || !pktseqi_load_hex(checksum, 16, &sum) || checksum[16])
        return pktseqi_bad_meta(header, "pktseq.checksum");
    // Text and data differ by the 8 bytes before the header.
    if (pktseqi_checksum(header->data, header->size,
                         8 + (size_t)(checksum - header->json.text)) != sum)
        return PKTSEQI_DATA_ERROR(header->json.err, "the checksum is not right, so the file is "
                                  "damaged");
    if (!version) return pktseqi_bad_meta(header, "pktseq.version");
    if (!format) return pktseqi_bad_meta(header, "pktseq.format");
    if (strcmp(format, PKTSEQI_FORMAT) != 0)
        return PKTSEQI_DATA_ERROR(header->json.err, "found metadata \"pktseq.format\" %q, as "
                                  "version %q writes it, expected \"" PKTSEQI_FORMAT "\": train "
                                  "the model again with this version, or use it with that one",
                                  format, version);
    return pt && strcmp(pt, "pt") == 0 ? PKTSEQ_OK : pktseqi_bad_meta(header, "format");
}

// Reads "pktseq.model" into the config. A file of another program gets the reference's settings,
// each output a number. Groups follow one another, so only their lengths are stored: a number or a
// flag is one output, and together they have to be all outputs.
static pktseq_status pktseqi_load_config(pktseqi_header *header) {
    pktseq_config *config = &header->config;
    pktseq_group *group;
    size_t next = 0;  // the first output of the next group
    int ours;
    pktseq_status status = pktseqi_load_ours(header, &ours);
    if (status) return status;
    if (!ours) {
        config->inputs = 3;
        config->start = PKTSEQ_START_TARGET;
        return PKTSEQ_OK;
    }
    if (!pktseqi_load_find(header, "pktseq.model")) return pktseqi_bad_meta(header, header->key);
    status = pktseqi_load_members(&header->lines, PKTSEQI_LIST(pktseqi_model_members), config);
    // No more groups than outputs, so no more memory for them than the file has numbers.
    if (status || config->groups > config->out) return pktseqi_bad_meta(header, header->key);
    config->group = group = (pktseq_group *)pktseqi_alloc_zeroed(&header->lines.allocator,
                                                                 config->groups, sizeof *group);
    if (!group) return pktseqi_no_memory(header->json.err);
    for (size_t g = 0; g < config->groups && !status; ++g, ++group) {
        status = pktseqi_load_members(&header->lines, PKTSEQI_LIST(pktseqi_group_members), group);
        group->first = next;
        if ((group->kind != PKTSEQ_GROUP_CLASS && group->count > 1) ||
            group->count > config->out - next)
            status = PKTSEQ_ERROR_DATA;
        next += group->count;
    }
    return pktseqi_load_end(header, next == config->out ? status : PKTSEQ_ERROR_DATA);
}

// Reads the lines of a codec and of its fields, and derives all else of it. What
// pktseqi_schema_check requires of a codec that is fitted is required here, too, as encoders rely
// on it.
// After a failure pktseq_codec_free can free the codec: field_count counts the fields that are
// there, and each was zeroed before it was filled.
static pktseq_status pktseqi_load_fields(pktseqi_lines *lines, pktseq_codec *codec) {
    pktseq_status status = pktseqi_load_members(lines, PKTSEQI_LIST(pktseqi_codec_members), codec);
    size_t count = codec->field_count;
    codec->field_count = 0;
    if (status) return status;
    if (codec->rule.min_length && pktseqi_rule_check(&codec->rule, NULL)) return PKTSEQ_ERROR_DATA;
    // Each field has at least "column x;", so a few bytes cannot have a million fields allocated.
    if (count > strlen(lines->at) / 9) return PKTSEQ_ERROR_DATA;
    codec->field = (pktseq_field *)pktseqi_alloc_zeroed(&codec->allocator, count,
                                                        sizeof *codec->field);
    if (!codec->field) return PKTSEQ_ERROR_MEMORY;
    while (codec->field_count < count) {
        pktseq_field *field = &codec->field[codec->field_count++];
        int bad;
        status = pktseqi_load_members(lines, PKTSEQI_LIST(pktseqi_field_members), field);
        if (status) return status;
        // Fields of the context are numbers and come after all others.
        bad = field->role == PKTSEQ_ROLE_CONTEXT
                  ? pktseqi_field_is_class(field)
                  : field > codec->field && field[-1].role == PKTSEQ_ROLE_CONTEXT;
        // Categories have to be different, and are there if and only if the kind has them.
        if (bad || !field->column[0] || pktseqi_categories_check(field, NULL) ||
            pktseqi_field_texts(field) != (field->category_count > 0))
            return PKTSEQ_ERROR_DATA;
    }
    return pktseqi_codec_layout(codec, NULL);
}

// Reads "pktseq.codec". It is compared with the model at the end, by pktseqi_parts_check.
static pktseq_status pktseqi_load_codec(pktseqi_header *header, pktseq_codec *codec) {
    if (!pktseqi_load_find(header, "pktseq.codec")) return PKTSEQ_OK;
    codec->allocator = header->lines.allocator;
    return pktseqi_load_end(header, pktseqi_load_fields(&header->lines, codec));
}

// Reads "pktseq.detector" into a detector for the outputs and groups of the model. The first line
// is the number of contexts: it completes the sizes by which the arrays of all other lines are
// allocated, in one block, as for a detector that is fitted.
static pktseq_status pktseqi_load_detector(pktseqi_header *header, const pktseq_model *model,
                                           pktseq_detector *d) {
    pktseqi_lines *lines = &header->lines;
    pktseq_status status;
    if (!pktseqi_load_find(header, "pktseq.detector")) return PKTSEQ_OK;
    d->out = model->config.out;
    d->groups = model->config.groups;
    d->allocator = lines->allocator;
    status = pktseqi_load_members(lines, pktseqi_detector_members, 1, d);
    // Each number of the matrix has at least two bytes, which bounds what is allocated for it.
    if (status || d->contexts * d->contexts > strlen(lines->at))
        return pktseqi_bad_meta(header, header->key);
    status = pktseqi_detector_alloc(d, header->json.err);
    if (status) return status;
    status = pktseqi_load_members(lines, pktseqi_detector_members + 1,
                                  PKTSEQI_LENGTH(pktseqi_detector_members) - 1, d);
    return pktseqi_load_end(header, status);
}

// Reads the numbers of tensor t of the file, each finite. A file of the other type than PKTSEQ_REAL
// is converted; one of the same type keeps its bits, also those of subnormal numbers.
static pktseq_status pktseqi_load_numbers(const pktseqi_header *header, size_t t,
                                          pktseq_real *to) {
    const pktseqi_entry *entry = &header->entry[t];
    const unsigned char *from = header->data + header->data_at + (size_t)entry->begin;
    size_t count = header->known[t].rows * header->known[t].cols;
    // What a float cannot hold would become infinite, so it is refused before it is converted.
    const double max = sizeof *to == sizeof(float) ? (double)FLT_MAX : DBL_MAX;
    for (size_t i = 0; i < count; ++i, from += entry->width) {
        uint64_t bits = pktseqi_read_u64(from, entry->width);
        uint32_t bits32 = (uint32_t)bits;
        float single;
        double v;
        int fits = 1;
        memcpy(&single, &bits32, sizeof single);
        memcpy(&v, &bits, sizeof v);
        if (entry->width == sizeof v) fits = pktseqi_finite(&v) && fabs(v) <= max;
        to[i] = entry->width == sizeof single ? (pktseq_real)single : fits ? (pktseq_real)v : 0;
        if (!fits || !pktseqi_finite_real(&to[i]))
            return PKTSEQI_DATA_ERROR(header->json.err, "tensor %q: number %z is not finite",
                                      header->known[t].name, i);
    }
    return PKTSEQ_OK;
}

// Reads all tensors into a new model's block, which holds them one after the other. Their order in
// the file may be another one: each has its own offsets.
static pktseq_status pktseqi_load_weights(const pktseqi_header *header, pktseq_model *model) {
    pktseq_real *to = model->block;
    pktseq_status status = PKTSEQ_OK;
    for (size_t t = 0; t < PKTSEQ_TENSOR_COUNT && !status; ++t) {
        status = pktseqi_load_numbers(header, t, to);
        to += header->known[t].rows * header->known[t].cols;
    }
    return status;
}

// Reads the velocity of SGD, if there is one. Without momentum it is kept for a run that sets it
// again.
static pktseq_status pktseqi_load_velocity(const pktseqi_header *header,
                                           pktseq_training *training) {
    size_t count = header->known[PKTSEQ_TENSOR_COUNT].rows;
    if (!header->entry[PKTSEQ_TENSOR_COUNT].found) return PKTSEQ_OK;
    training->velocity = (pktseq_real *)pktseqi_alloc(&training->allocator, count,
                                                      sizeof *training->velocity);
    if (!training->velocity) return pktseqi_no_memory(header->json.err);
    training->parameters = count;
    return pktseqi_load_numbers(header, PKTSEQ_TENSOR_COUNT, training->velocity);
}

// Reads "pktseq.training" and the velocity, and checks them as saving does.
static pktseq_status pktseqi_load_training(pktseqi_header *header, pktseq_training *t) {
    pktseq_status status;
    pktseq_error why;
    if (!pktseqi_load_find(header, "pktseq.training")) return PKTSEQ_OK;
    t->allocator = header->lines.allocator;
    status = pktseqi_load_members(&header->lines, PKTSEQI_LIST(pktseqi_training_members), t);
    t->loss_capacity = t->losses;
    status = pktseqi_load_end(header, status);
    if (!status) status = pktseqi_load_velocity(header, t);
    if (!status && pktseqi_training_check(t, &why))  // here the mistake is the file's
        status = PKTSEQI_DATA_ERROR(header->json.err, "header: metadata %q: %s", header->key,
                                    why.text + strlen(PKTSEQI_BAD_ARGUMENT));
    return status;
}

// Checks the frame of the file and copies the header. Its length is compared with the file before
// anything is allocated: eight bytes cannot request 100 MB that are not there.
static pktseq_status pktseqi_load_open(pktseqi_header *header, const unsigned char *data,
                                       size_t size, pktseq_error *err) {
    pktseqi_json *json = &header->json;
    uint64_t length;
    if (size < 8)
        return PKTSEQI_DATA_ERROR(err, "found %z byte%S, expected a safetensors file: at least 8",
                                  size);
    length = pktseqi_read_u64(data, 8);
    if (length > PKTSEQI_MAX_HEADER)
        return PKTSEQI_DATA_ERROR(err, "the header's length is more than %z bytes: not a "
                                  "safetensors file", (size_t)PKTSEQI_MAX_HEADER);
    if (length > size - 8)
        return PKTSEQI_DATA_ERROR(err, "the file is cut off: %z byte%S missing in its header",
                                  (size_t)(length - (size - 8)));
    header->data = data;
    header->size = size;
    header->data_at = 8 + (size_t)length;
    json->err = err;
    json->text = json->at = (char *)pktseqi_alloc(&header->lines.allocator, (size_t)length + 1, 1);
    if (!json->text) return pktseqi_no_memory(err);
    memcpy(json->text, data + 8, (size_t)length);
    json->end = json->text + length;
    *json->end = 0;
    return PKTSEQ_OK;
}

// Zeroes what will be filled, so that it can be freed after any failure, also of the arguments.
static void pktseqi_load_begin(pktseq_model *model, pktseq_codec *codec, pktseq_training *training,
                               pktseq_detector *detector) {
    if (model) memset(model, 0, sizeof *model);
    if (codec) memset(codec, 0, sizeof *codec);
    if (training) memset(training, 0, sizeof *training);
    if (detector) memset(detector, 0, sizeof *detector);
}

PKTSEQ_DEF pktseq_status pktseq_load_mem(pktseq_model *model, pktseq_codec *codec,
                                         pktseq_training *training, pktseq_detector *detector,
                                         const void *data, size_t size,
                                         const pktseq_allocator *allocator, pktseq_error *err) {
    pktseqi_header header;
    pktseq_status status;
    memset(&header, 0, sizeof header);
    pktseqi_load_begin(model, codec, training, detector);
    if (!model || (!data && size)) return pktseqi_bad_argument(err, "model or data is NULL");
    header.lines.allocator = pktseqi_allocator(allocator);
    // Weights come late, since they are most of the work; the detector after the model, whose
    // groups it needs.
    status = pktseqi_load_open(&header, (const unsigned char *)data, size, err);
    if (!status) status = pktseqi_load_header(&header);
    if (!status) status = pktseqi_load_shapes(&header);
    if (!status) status = pktseqi_load_config(&header);
    if (!status && codec) status = pktseqi_load_codec(&header, codec);
    if (!status && training) status = pktseqi_load_training(&header, training);
    if (!status) status = pktseqi_model_alloc(model, &header.config, allocator, err);
    if (!status) status = pktseqi_load_weights(&header, model);
    if (!status && detector) status = pktseqi_load_detector(&header, model, detector);
    if (!status) status = pktseqi_parts_check(model, codec, detector, err);
    pktseqi_free(&header.lines.allocator, header.json.text);
    pktseqi_free(&header.lines.allocator, header.meta);
    pktseqi_free(&header.lines.allocator, (void *)header.config.group);
    if (!status) return pktseqi_ok(err);
    pktseq_model_free(model);
    pktseq_codec_free(codec);
    pktseq_training_free(training);
    pktseq_detector_free(detector);
    return status;
}

// ---- >>files: whole files, and the same with paths --------------------------------------------
//
// A file is replaced as a whole or not at all: the new one is written under another name in the
// same folder, synced, and renamed over the old one, which POSIX does in one step (rename, IEEE Std
// 1003.1). After a crash or with a full disk, and for a reader at the same time, the path holds the
// old file or the new one.
//
// First come the functions of a pktseq_files for the C library, which hide the differences between
// systems. All else goes through pktseq_files, so that callers may have a file system of their own
// and tests can let each call fail in turn.

#ifndef PKTSEQ_NO_STDIO
#ifdef PKTSEQI_POSIX
#ifndef __cplusplus
// Strict C hides these functions of POSIX, and older versions of POSIX have no realpath.
#ifdef __STRICT_ANSI__
int fileno(FILE *file);
int fsync(int descriptor);
int fchmod(int descriptor, mode_t mode);
FILE *fdopen(int descriptor, const char *mode);
#endif
char *realpath(const char *path, char *resolved);
#endif

// Creates a file that must not exist yet, not even as a link, and gives it the permissions of
// `old`. O_EXCL: in a folder that all may write to, somebody could have put a link there, and the
// file that it leads to would be overwritten. The permissions are those of the old file whatever
// umask says, so that a checkpoint that only its owner may read stays so.
static void *pktseqi_stdio_create(const char *path, const char *old) {
    struct stat status;
    int known = stat(old, &status) == 0, descriptor;
    FILE *file;
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, known ? status.st_mode & 0777 : 0666);
    if (descriptor < 0) return NULL;
    if (known) (void)!fchmod(descriptor, status.st_mode & 0777);
    file = fdopen(descriptor, "wb");
    if (!file) {
        close(descriptor);
        remove(path);
    }
    return file;
}

// Syncs the folder of a file, which puts a rename on the disk: without it a power failure may leave
// the folder unchanged. Not every file system can do that, so failures are ignored.
static void pktseqi_stdio_sync_folder(const char *path) {
    char folder[PKTSEQI_PATH];
    pktseqi_text t = pktseqi_text_fixed(folder, sizeof folder);
    const char *slash = strrchr(path, '/');
    int descriptor;
    if (slash) pktseqi_put_bytes(&t, path, (size_t)(slash - path) + 1);
    else pktseqi_put_text(&t, ".");
    descriptor = open(folder, O_RDONLY);
    if (descriptor < 0) return;
    (void)fsync(descriptor);  // some network file systems refuse it for folders
    close(descriptor);
}
#endif

// Opens a file. errno is cleared first, so that a message gives a reason only if this call set one.
//   user   the path whose file a new one will replace, or NULL
static void *pktseqi_stdio_open(const char *path, int write, void *user) {
    errno = 0;
#ifdef PKTSEQI_POSIX
    if (write && user) return pktseqi_stdio_create(path, (const char *)user);
#else
    (void)user;
#endif
    return pktseqi_fopen(path, write ? "wb" : "rb");
}

// Writes bytes; returns how many. pktseqi_file_fill continues until no more are taken.
static size_t pktseqi_stdio_write(void *file, const void *from, size_t size) {
    return fwrite(from, 1, size, (FILE *)file);
}

// Closes a file; with `sync` it is on the disk first, as far as the platform can tell. Returns 0 on
// failure. A full disk may only be noticed when buffers are written, so the results of fflush,
// fsync and fclose all count. On macOS fsync leaves data in the cache of the drive, F_FULLFSYNC
// does not.
static int pktseqi_stdio_close(void *file, int sync) {
    int good = !sync || fflush((FILE *)file) == 0;
#ifdef F_FULLFSYNC
    if (good && sync && fcntl(fileno((FILE *)file), F_FULLFSYNC) == 0) sync = 0;
#endif
#ifdef PKTSEQI_POSIX
    if (good && sync) good = fsync(fileno((FILE *)file)) == 0;
#elif defined(_WIN32)
    if (good && sync) good = _commit(_fileno((FILE *)file)) == 0;
#endif
    return fclose((FILE *)file) == 0 && good;
}

// Renames `from` to `to`, which it replaces. Returns 0 on failure. rename() of Windows refuses to
// replace a file; MoveFileEx can.
static int pktseqi_stdio_replace(const char *from, const char *to, void *user) {
    (void)user;
#ifdef _WIN32
    {
        wchar_t wide_from[PKTSEQI_PATH], wide_to[PKTSEQI_PATH];
        const unsigned long flags = 1 | 8;  // replace existing, write through
        if (pktseqi_wide(wide_from, from) && pktseqi_wide(wide_to, to))
            return MoveFileExW(wide_from, wide_to, flags) != 0;
        return MoveFileExA(from, to, flags) != 0;
    }
#else
    if (rename(from, to) != 0) return 0;
#ifdef PKTSEQI_POSIX
    pktseqi_stdio_sync_folder(to);
#endif
    return 1;
#endif
}

// Removes a file.
static void pktseqi_stdio_remove(const char *path, void *user) {
    (void)user;
#ifdef _WIN32
    {
        wchar_t wide[PKTSEQI_PATH];
        if (pktseqi_wide(wide, path)) {
            (void)_wremove(wide);
            return;
        }
    }
#endif
    remove(path);
}

// Returns 1 if a path exists and cannot be replaced, as it is not a regular file, or should not be,
// as it is in /dev: /dev/stdout may lead to a regular file. Folders return 0: rename refuses them
// and gives a reason.
static int pktseqi_is_device(const char *path) {
#ifdef PKTSEQI_POSIX
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode) &&
           (!S_ISREG(status.st_mode) || strncmp(path, "/dev/", 5) == 0);
#else
    (void)path;
    return 0;
#endif
}
#endif

// Sets f to the caller's functions, or to those of the C library. Returns 0 if there are none. They
// are never mixed: the caller's functions would get FILE pointers.
static int pktseqi_files(const pktseq_files *files, pktseq_files *f) {
    memset(f, 0, sizeof *f);
    if (files) *f = *files;
#ifndef PKTSEQ_NO_STDIO
    if (files) return 1;
    f->open_fn = pktseqi_stdio_open;
    f->read_fn = pktseqi_file_bytes;
    f->write_fn = pktseqi_stdio_write;
    f->close_fn = pktseqi_stdio_close;
    f->replace_fn = pktseqi_stdio_replace;
    f->remove_fn = pktseqi_stdio_remove;
#endif
    return f->open_fn != NULL;
}

// Makes a file of these bytes and nothing else. Returns NULL, or what failed first. write_fn may
// take a part at a time, as write(2) does; if it claims more than it was given it has failed. The
// file is closed in any case; a failure of close is reported only if all was written.
//   created   out: the file exists now
static const char *pktseqi_file_fill(const pktseq_files *f, const char *path, const void *data,
                                     size_t size, int sync, int *created) {
    size_t done = 0, n = 1;
    void *file;
    errno = 0;
    file = f->open_fn(path, 1, f->user_data);
    *created = file != NULL;
    if (!file) return "cannot be created";
    for (; done < size && n > 0; done += n) {
        n = f->write_fn(file, (const char *)data + done, size - done);
        if (n > size - done) n = 0;
    }
    if (!f->close_fn(file, sync && done == size) && done == size)
        return "cannot be written to the disk";
    return done < size ? "cannot be written whole" : NULL;
}

// Writes the name of the temporary file into t. Returns 0 after the last attempt.
// The C library's functions create it exclusively, so each attempt of each process has its own
// name: the process id separates two writers, the attempt skips what a killed process of the same
// id has left. After 100 of those somebody is in the way on purpose. Functions of the caller get
// path.tmp.
//   own   f has the C library's functions
static int pktseqi_temporary(pktseqi_text *t, const char *path, int own, size_t attempt) {
    t->size = 0;
#if !defined(PKTSEQ_NO_STDIO) && defined(PKTSEQI_POSIX)
    if (own) {
        pktseqi_put(t, "%s.%z-%z.tmp", path, (size_t)getpid(), attempt);
        return attempt < 100;
    }
#endif
    (void)own;
    pktseqi_put(t, "%s.tmp", path);
    return attempt == 0;
}

// Writes a file by way of a temporary one. Only a name that is taken (EEXIST) is a reason to try
// the next one. After a failure the file that was created is removed, and nothing else.
//   shown   the path in messages, as the caller gave it
//   own     f has the C library's functions
static pktseq_status pktseqi_file_replace(const pktseq_files *f, const char *path,
                                          const char *shown, int own, const void *data,
                                          size_t size, pktseq_error *err) {
    pktseqi_text t = pktseqi_text_growing(NULL);
    const char *failed = "cannot be created";
    pktseq_status status = PKTSEQ_OK;
    int created = 0;
    for (size_t k = 0; !created && pktseqi_temporary(&t, path, own, k) && !t.failed; ++k) {
        failed = pktseqi_file_fill(f, t.data, data, size, 1, &created);
#ifdef EEXIST
        if (errno == EEXIST) continue;
#endif
        break;
    }
    if (!failed && !f->replace_fn(t.data, path, f->user_data)) failed = "cannot be renamed";
    if (t.failed)
        status = pktseqi_no_memory(err);
    else if (failed)
        status = pktseqi_error(err, PKTSEQ_ERROR_FILE, 0, "%s: not written: a temporary file "
                               "beside it %s%s", shown, failed, own ? pktseqi_reason() : "");
    // A file of that name that existed before is not removed.
    if (status && created) f->remove_fn(t.data, f->user_data);
    pktseqi_free(&t.allocator, t.data);
    return status ? status : pktseqi_ok(err);
}

// A device, pipe or terminal cannot be replaced, so it is written to. A link stays a link: the file
// that it leads to is replaced.
PKTSEQ_DEF pktseq_status pktseq_file_write(const char *path, const void *data, size_t size,
                                           const pktseq_files *files, pktseq_error *err) {
    const char *target = path;
    pktseq_files f;
#if !defined(PKTSEQ_NO_STDIO) && defined(PKTSEQI_POSIX)
    char real[PKTSEQI_PATH];
#endif
    if (!path || (!data && size)) return pktseqi_bad_argument(err, "path or data is NULL");
    if (!pktseqi_files(files, &f)) return pktseqi_bad_argument(err, "files is NULL");
#ifndef PKTSEQ_NO_STDIO
    if (!files && pktseqi_is_device(path)) {
        int created;
        const char *failed = pktseqi_file_fill(&f, path, data, size, 0, &created);
        return failed ? pktseqi_error(err, PKTSEQ_ERROR_FILE, 0, "%s: %s%s", path, failed,
                                      pktseqi_reason())
                      : pktseqi_ok(err);
    }
#ifdef PKTSEQI_POSIX
    if (!files && realpath(path, real)) target = real;
#endif
#endif
    if (!files) f.user_data = (void *)target;
    return pktseqi_file_replace(&f, target, path, !files, data, size, err);
}

// Reads until there is no more: the size that a file system reports is not used, as pipes have none
// and files grow.
PKTSEQ_DEF pktseq_status pktseq_file_read(pktseq_buffer *buffer, const char *path,
                                          const pktseq_files *files,
                                          const pktseq_allocator *allocator, pktseq_error *err) {
    pktseqi_text t = pktseqi_text_growing(allocator);
    pktseq_status status = PKTSEQ_OK;
    pktseq_files f;
    char chunk[4096];
    size_t got;
    int failed = 0;
    void *file;
    if (!buffer) return pktseqi_bad_argument(err, "buffer is NULL");
    memset(buffer, 0, sizeof *buffer);
    if (!path) return pktseqi_bad_argument(err, "path is NULL");
    if (!pktseqi_files(files, &f)) return pktseqi_bad_argument(err, "files is NULL");
    errno = 0;
    file = f.open_fn(path, 0, f.user_data);
    if (!file) return pktseqi_not_opened(err, path);
    do {
        got = f.read_fn(file, chunk, sizeof chunk, &failed);
        if (got > sizeof chunk) failed = 1;
        else pktseqi_put_bytes(&t, chunk, got);
    } while (got > 0 && !failed && !t.failed);
    if (failed) status = pktseqi_error(err, PKTSEQ_ERROR_FILE, 0, "%s: reading failed", path);
    else if (t.failed) status = pktseqi_error_in(err, pktseqi_no_memory(err), path);
    f.close_fn(file, 0);
    if (status) {
        pktseqi_free(&t.allocator, t.data);
        return status;
    }
    pktseqi_text_give(&t, buffer);
    return pktseqi_ok(err);
}

#ifndef PKTSEQ_NO_STDIO
// The file is made in memory first, so nothing is written if anything cannot be saved.
PKTSEQ_DEF pktseq_status pktseq_save(const pktseq_model *model, const pktseq_codec *codec,
                                     const pktseq_training *training,
                                     const pktseq_detector *detector, const char *path,
                                     pktseq_error *err) {
    pktseq_buffer buffer;
    pktseq_status status;
    if (!path) return pktseqi_bad_argument(err, "path is NULL");
    status = pktseq_save_mem(model, codec, training, detector, &buffer,
                             model ? &model->allocator : NULL, err);
    if (status) return pktseqi_error_in(err, status, path);
    status = pktseq_file_write(path, buffer.data, buffer.size, NULL, err);
    pktseq_buffer_free(&buffer);
    return status;
}

// Outputs are zeroed before anything can fail, so they can always be freed.
PKTSEQ_DEF pktseq_status pktseq_load(pktseq_model *model, pktseq_codec *codec,
                                     pktseq_training *training, pktseq_detector *detector,
                                     const char *path, const pktseq_allocator *allocator,
                                     pktseq_error *err) {
    pktseq_buffer buffer;
    pktseq_status status;
    pktseqi_load_begin(model, codec, training, detector);
    status = pktseq_file_read(&buffer, path, NULL, allocator, err);
    if (status) return status;
    status = pktseq_load_mem(model, codec, training, detector, buffer.data, buffer.size, allocator,
                             err);
    pktseq_buffer_free(&buffer);
    return pktseqi_error_in(err, status, path);
}
#endif

// ---- >>short: from a file to alarms in six calls ----------------------------------------------

//     recipe_recommended -> table_read -> recipe_prepare -> train -> recipe_calibrate -> guard
//     guard -> guard_score: table_read, guard_dataset, score_all      guard -> guard_watch: watcher
//
// A recipe holds every setting of a run. A guard runs it as the programs train and detect do.
// Nothing here computes: each function calls public ones in the order that every caller needs, and
// after a failure frees what they have left. So a program can replace any step by its own.

// Returns 1 if a guard has learned or loaded something.
static int pktseqi_guard_ready(const pktseq_guard *guard) {
    return guard && guard->model.block && guard->codec.field_count && guard->detector.memory;
}

// ---- one sequence of a table

// Which columns a table has depends on what the model needs and what the file holds: every look-up
// may find none.

// Returns the string that a column has in a row, or "" without such a column.
static const char *pktseqi_scored_text(const pktseq_table *table, const char *name, size_t row) {
    const char *text = pktseq_column_text(pktseq_table_column(table, name), row);
    return text ? text : "";
}

// Returns the number that a column has in a row, or 0 without such a column. A caller's schema may
// read a column of this name as strings, which have no numbers.
static double pktseqi_scored_number(const pktseq_table *table, const char *name, size_t row) {
    const pktseq_column *column = pktseq_table_column(table, name);
    return pktseqi_column_numbers(column) ? pktseqi_column_at(column, row) : 0;
}

// source_row numbers the rows of the file where some were left out.
PKTSEQ_DEF pktseq_scored pktseq_table_describe(const pktseq_table *table, size_t sequence) {
    pktseq_scored scored;
    size_t row, last;
    memset(&scored, 0, sizeof scored);
    scored.src = scored.dst = scored.label = "";
    if (!table || !table->start || sequence >= table->sequences) return scored;
    row = table->start[sequence];
    last = table->start[sequence + 1] - 1;
    scored.sequence = sequence;
    scored.connection = table->connection ? table->connection[sequence] : sequence;
    scored.packets = last - row + 1;
    scored.first_row = table->source_row ? table->source_row[row] : row;
    scored.last_row = table->source_row ? table->source_row[last] : last;
    scored.begin = pktseqi_scored_number(table, "timestamp", row);
    scored.time = pktseqi_scored_number(table, "timestamp", last);
    scored.src = pktseqi_scored_text(table, "src_ip", row);
    scored.dst = pktseqi_scored_text(table, "dst_ip", row);
    scored.label = pktseqi_scored_text(table, "label", row);
    scored.src_port = (unsigned)pktseqi_scored_number(table, "src_port", row);
    scored.dst_port = (unsigned)pktseqi_scored_number(table, "dst_port", row);
    return scored;
}

// ---- settings

// context has no effect unless the schema has fields of the context, as the recommended one.
PKTSEQ_DEF pktseq_recipe pktseq_recipe_default(void) {
    pktseq_recipe r;
    memset(&r, 0, sizeof r);
    r.schema = pktseq_schema_default();
    r.dataset = pktseq_dataset_options_default();
    r.hidden = pktseq_config_default(NULL).hidden;
    r.train = pktseq_train_config_default();
    r.context = 0.65;
    r.false_positive_rate = 0.01;
    return r;
}

// Refuses options that no later function would refuse. Every test is true only of good values, so
// NaN fails. With at most a million epochs their product with the pairs stays below 2^53.
static pktseq_status pktseqi_options_check(const pktseq_guard_options *o, pktseq_error *err) {
    if (!(o->epochs >= 0 && o->epochs <= 1e6))
        return pktseqi_bad_argument(err, "epochs is not from 0 to 1e6");
    if (!(o->hold_out >= 0 && o->hold_out < 1))
        return pktseqi_bad_argument(err, "hold_out is not from 0 to below 1");
    if (!(o->false_positive_rate >= 0 && o->false_positive_rate <= 1))
        return pktseqi_bad_argument(err, "false_positive_rate is not from 0 to 1");
    return o->context < 1 ? PKTSEQ_OK : pktseqi_bad_argument(err, "context is not below 1");
}

// Returns the recommended settings, before options.
static pktseq_recipe pktseqi_recipe_best(int context) {
    static const char *const keep[] = {"label"};  // so that labelled attacks can be left out
    pktseq_recipe r = pktseq_recipe_default();
    r.schema = pktseq_schema_recommended(context);
    r.schema.keep = keep;
    r.schema.keep_count = 1;
    // Every packet is forecast, the first one from nothing but its context: short connections, as
    // of port scans, have no packets to spare for an encoder.
    r.dataset.inputs = 0;
    r.dataset.start = PKTSEQ_START_INPUT;
    // A fifth is held out, since scores of what was learned are too low for a threshold.
    r.dataset.hold_out = 0.2;
    r.hidden = 64;
    r.loss = PKTSEQ_LOSS_NLL;
    r.train.batch = 32;
    // Clipping to a norm of 1 limits each step, so the rate can be a thousand times the
    // reference's.
    r.train.learning_rate = 0.1;
    r.train.momentum = 0.9;
    r.train.clip = 1;
    r.train.teacher_forcing = 1;  // as it is scored: each packet from the true ones before it
    r.train.order = PKTSEQ_ORDER_SHUFFLED;
    r.epochs = 6;  // 30 rank as well: AUC 0.999 with either
    // for small files: a minute of traffic has 46 connections, and 6 epochs of them 7 iterations
    r.min_iterations = 200;
    return r;
}

PKTSEQ_DEF pktseq_status pktseq_recipe_recommended(pktseq_recipe *recipe,
                                                   const pktseq_guard_options *options,
                                                   pktseq_error *err) {
    pktseq_guard_options o;
    pktseq_recipe r;
    pktseq_status status;
    memset(&o, 0, sizeof o);
    if (options) o = *options;
    if (!recipe) return pktseqi_bad_argument(err, "recipe is NULL");
    memset(recipe, 0, sizeof *recipe);
    status = pktseqi_options_check(&o, err);
    if (status) return status;
    // without a share of the score the counters are not learned either: fewer features, faster
    r = pktseqi_recipe_best(o.context >= 0);
    if (o.context != 0) r.context = o.context > 0 ? o.context : 0;
    if (o.false_positive_rate > 0) r.false_positive_rate = o.false_positive_rate;
    r.schema.rule = pktseqi_rule_or(&o.rule, r.schema.rule);
    r.schema.rule.tcp_only |= o.tcp_only;
    if (o.hold_out > 0) r.dataset.hold_out = o.hold_out;
    if (o.seed) r.train.seed = o.seed;
    r.train.threads = o.threads;
    r.train.progress = o.progress;
    r.train.user_data = o.user_data;
    if (o.epochs > 0) {  // requested: not extended for a small file
        r.epochs = o.epochs;
        r.min_iterations = 1;
    }
    *recipe = r;
    return pktseqi_ok(err);
}

// A model that continues starts near a minimum and without momentum, so it takes half the rate, and
// at least 100 iterations so that new categories are learned. The reference's training continues
// with its own number of iterations.
PKTSEQ_DEF pktseq_status pktseq_recipe_from_model(pktseq_recipe *recipe, const pktseq_model *model,
                                                  const pktseq_codec *codec,
                                                  const pktseq_training *training,
                                                  const pktseq_detector *detector,
                                                  pktseq_error *err) {
    pktseq_status status = pktseq_recipe_recommended(recipe, NULL, err);
    if (status) return status;
    if (!model || !model->block || !codec || !codec->field_count) {
        memset(recipe, 0, sizeof *recipe);
        return pktseqi_bad_argument(err, "model or codec is NULL or empty");
    }
    // packets are read, grouped and forecast as for the model
    recipe->schema.field = codec->field;
    recipe->schema.field_count = codec->field_count;
    recipe->schema.rule = pktseq_codec_schema(codec).rule;
    recipe->dataset.inputs = model->config.inputs;
    recipe->dataset.start = model->config.start;
    recipe->hidden = model->config.hidden;
    recipe->loss = model->config.loss;
    // a foreign checkpoint knows nothing of its training
    if (training && training->iteration) {
        recipe->train = training->config;
        recipe->train.threads = 0;  // of this machine, not of the one before
        recipe->dataset.drop_last = (int)training->drop_last;
        recipe->dataset.hold_out = training->hold_out;
    }
    if (detector && detector->memory) {
        recipe->context = detector->options.context;
        recipe->false_positive_rate = detector->options.false_positive_rate;
    }
    if (recipe->loss == PKTSEQ_LOSS_NLL) {  // as recommended models are trained
        recipe->train.learning_rate = 0.05;
        recipe->min_iterations = 100;
    } else {
        recipe->epochs = 0;
    }
    return pktseqi_ok(err);
}

// Rounded up, so that the last epoch is complete. In double, since the product may not fit a
// size_t, whose limit of 32 bits is below 10^15; what no run reaches stands for more.
PKTSEQ_DEF size_t pktseq_recipe_iterations(const pktseq_recipe *recipe,
                                           const pktseq_dataset *dataset) {
    const double max = sizeof(size_t) < 8 ? 4e9 : 1e15;
    double n;
    if (!recipe || !dataset || !recipe->train.batch) return 0;
    if (!(recipe->epochs > 0)) return recipe->train.iterations;
    n = recipe->epochs * (double)dataset->trained / (double)recipe->train.batch + 0.999;
    if (n >= max) return (size_t)max;
    return n < (double)recipe->min_iterations ? recipe->min_iterations : (size_t)n;
}

// ---- a model of a table

// Reports that a table has too few sequences to learn from: the capture is short, or consists of
// labelled attacks.
static pktseq_status pktseqi_too_little(const pktseq_table *table, pktseq_error *err) {
    return PKTSEQI_DATA_ERROR(err, "%z packet%S in %z sequence%S%s; training needs about 100",
                              table->rows, table->sequences,
                              table->counts.attacks
                                  ? ", once those that are labelled as attacks are left out" : "");
}

// Makes codec, data set and model: new ones or, with known and trained, those that continue. On
// failure they may hold memory.
// With fewer than 20 sequences a codec that cannot be fitted means too little data, whatever its
// error says. Two sequences are the fewest of which one can be held out.
static pktseq_status pktseqi_recipe_make(const pktseq_recipe *recipe, pktseq_table *table,
                                         const pktseq_codec *known, const pktseq_model *trained,
                                         pktseq_codec *codec, pktseq_dataset *dataset,
                                         pktseq_model *model, const pktseq_allocator *allocator,
                                         pktseq_error *err) {
    pktseq_schema schema = recipe->schema;
    pktseq_config config;
    pktseq_status status = pktseq_table_drop_attacks(table, err);
    if (status) return status;
    if (table->sequences < 2) return pktseqi_too_little(table, err);
    // The codec is fitted to the same sequences as the weights: held-out ones shape neither.
    schema.hold_out = recipe->dataset.hold_out;
    schema.repeats = recipe->dataset.repeats;
    status = known ? pktseq_codec_extend(codec, known, table, &schema, 2, allocator, err)
                   : pktseq_codec_fit(codec, table, &schema, allocator, err);
    if (status == PKTSEQ_ERROR_DATA && table->sequences < 20)
        return pktseqi_too_little(table, err);
    if (!status)
        status = pktseq_dataset_init(dataset, codec, table, &recipe->dataset, allocator, err);
    if (!status && recipe->dataset.hold_out > 0 && dataset->trained == dataset->pairs)
        status = PKTSEQI_DATA_ERROR(err, "of %z sequences none is held out: expected a larger "
                                    "share, or more traffic", table->sequences);
    config = pktseq_config_default(dataset);
    config.hidden = recipe->hidden;
    config.loss = recipe->loss;
    if (!status)
        status = trained ? pktseq_model_grow(model, &config, trained, known, codec, allocator, err)
                         : pktseq_model_init(model, &config, recipe->train.seed, allocator, err);
    return status;
}

PKTSEQ_DEF pktseq_status pktseq_recipe_prepare(const pktseq_recipe *recipe, pktseq_table *table,
                                               const pktseq_codec *known,
                                               const pktseq_model *trained, pktseq_codec *codec,
                                               pktseq_dataset *dataset, pktseq_model *model,
                                               const pktseq_allocator *allocator,
                                               pktseq_error *err) {
    pktseq_status status;
    if (!codec || !dataset || !model) return pktseqi_bad_argument(err, "an output is NULL");
    memset(codec, 0, sizeof *codec);
    memset(dataset, 0, sizeof *dataset);
    memset(model, 0, sizeof *model);
    if (!recipe || !known != !trained)
        return pktseqi_bad_argument(err, "recipe, known or trained is NULL");
    status = pktseqi_recipe_make(recipe, table, known, trained, codec, dataset, model, allocator,
                                 err);
    if (!status) return PKTSEQ_OK;
    pktseq_dataset_free(dataset);
    pktseq_codec_free(codec);
    return status;
}

// A detector that was initialized before is replaced only once its successor is fitted.
PKTSEQ_DEF pktseq_status pktseq_recipe_calibrate(const pktseq_recipe *recipe,
                                                 const pktseq_model *model,
                                                 const pktseq_codec *codec,
                                                 const pktseq_dataset *dataset,
                                                 pktseq_detector *detector, pktseq_error *err) {
    pktseq_detector_options options;
    pktseq_detector fitted;
    double *weight;
    pktseq_status status;
    if (!recipe || !detector || !model || !codec || !codec->groups)
        return pktseqi_bad_argument(err, "recipe, detector, model or codec is NULL or empty");
    // borrowed by the options until the detector has copied them
    weight = (double *)pktseqi_alloc(&codec->allocator, codec->groups, sizeof *weight);
    if (!weight) return pktseqi_no_memory(err);
    memset(&options, 0, sizeof options);
    if (detector->memory) {
        options = detector->options;
        options.weight = detector->weight;
    } else if (model->config.loss == PKTSEQ_LOSS_NLL) {
        options = pktseq_detector_options_recommended(codec, weight);
    }
    // one rule for every kind of detector, so that calibrating again gives the same one
    options.context = codec->contexts ? recipe->context : 0;
    // in options 0 means the default, and a negative rate means 0
    options.false_positive_rate = recipe->false_positive_rate;
    if (recipe->false_positive_rate == 0) options.false_positive_rate = -1;
    status = pktseq_detector_init(&fitted, model, codec->contexts, &options, &codec->allocator,
                                  err);
    if (!status)
        status = pktseq_detector_fit(&fitted, model, dataset, recipe->train.threads, err);
    pktseqi_free(&codec->allocator, weight);
    pktseq_detector_free(status ? &fitted : detector);
    if (!status) *detector = fitted;
    return status;
}

#ifndef PKTSEQ_NO_STDIO
// ---- guards

// Empties a guard and copies the caller's options into it. They include the allocator, with which
// pktseq_guard_free frees whatever was made before a failure.
static pktseq_status pktseqi_guard_begin(pktseq_guard *guard, const char *path,
                                         const pktseq_guard_options *options, pktseq_error *err) {
    if (!guard) return pktseqi_bad_argument(err, "guard is NULL");
    memset(guard, 0, sizeof *guard);
    if (!path) return pktseqi_bad_argument(err, "path is NULL");
    if (options) guard->options = *options;
    return PKTSEQ_OK;
}

// Reads a file, trains on it and calibrates. The caller frees guard and dataset, also after a
// failure. The table is freed before training, which needs only the data set: both would take twice
// the memory. A run that the callback stopped is calibrated like any other, so the guard is usable.
static pktseq_status pktseqi_guard_learn(pktseq_guard *guard, const char *path,
                                         pktseq_dataset *dataset, pktseq_error *err) {
    const pktseq_allocator *allocator = &guard->options.allocator;
    pktseqi_text recipe = pktseqi_text_fixed(guard->training.description,
                                             sizeof guard->training.description);
    pktseq_recipe r;
    pktseq_table table;
    pktseq_status status = pktseq_recipe_recommended(&r, &guard->options, err), fitted;
    if (!status) status = pktseq_table_read(&table, path, &r.schema, allocator, err);
    if (status) return status;
    status = pktseqi_error_in(err, pktseq_recipe_prepare(&r, &table, NULL, NULL, &guard->codec,
                                                         dataset, &guard->model, allocator, err),
                              path);
    // the model's own record of its origin, which detect prints
    pktseqi_put(&recipe, "%z packets in %z sequences, pktseq %s", table.rows, table.sequences,
                PKTSEQ_VERSION);
    pktseq_table_free(&table);
    if (status) return status;
    r.train.iterations = pktseq_recipe_iterations(&r, dataset);
    status = pktseq_train(&guard->model, dataset, &r.train, &guard->training, err);
    if (status && status != PKTSEQ_STOPPED) return status;
    fitted = pktseq_recipe_calibrate(&r, &guard->model, &guard->codec, dataset, &guard->detector,
                                     err);
    return fitted ? fitted : status;
}

PKTSEQ_DEF pktseq_status pktseq_guard_learn(pktseq_guard *guard, const char *path,
                                            const pktseq_guard_options *options,
                                            pktseq_error *err) {
    pktseq_dataset dataset;
    pktseq_status status = pktseqi_guard_begin(guard, path, options, err);
    if (status) return status;
    memset(&dataset, 0, sizeof dataset);
    status = pktseqi_guard_learn(guard, path, &dataset, err);
    pktseq_dataset_free(&dataset);
    // calibrating has overwritten err, and a guard that was stopped is complete
    if (status && status != PKTSEQ_STOPPED) pktseq_guard_free(guard);
    else if (status)
        status = pktseqi_error(err, PKTSEQ_STOPPED, 0, "stopped by the callback after %z of %z "
                               "iterations", guard->training.iteration,
                               guard->training.config.iterations);
    return status;
}

PKTSEQ_DEF pktseq_status pktseq_guard_save(const pktseq_guard *guard, const char *path,
                                            pktseq_error *err) {
    if (!guard || !guard->codec.field_count)
        return pktseqi_bad_argument(err, "guard is NULL or has learned nothing");
    return pktseq_save(&guard->model, &guard->codec, &guard->training, &guard->detector, path, err);
}

PKTSEQ_DEF pktseq_status pktseq_guard_load(pktseq_guard *guard, const char *path,
                                           const pktseq_guard_options *options, pktseq_error *err) {
    pktseq_status status = pktseqi_guard_begin(guard, path, options, err);
    if (status) return status;
    status = pktseq_load(&guard->model, &guard->codec, &guard->training, &guard->detector, path,
                         &guard->options.allocator, err);
    // A checkpoint may be weights alone. Without a codec nothing can be encoded; without a fitted
    // detector scores are the reference's, for which only the caller can know a threshold.
    if (!status && !guard->codec.field_count)
        status = PKTSEQI_DATA_ERROR(err, "%s holds no codec, so it does not say what its features "
                                    "are", path);
    if (!status && !guard->detector.sequences && guard->options.threshold == 0)
        status = PKTSEQI_DATA_ERROR(err, "%s: it does not say which scores are normal: expected "
                                    "what pktseq_guard_save or train --recommended has written",
                                    path);
    if (!status && !guard->detector.memory)
        status = pktseq_detector_init(&guard->detector, &guard->model, guard->codec.contexts, NULL,
                                      &guard->options.allocator, err);
    if (status) pktseq_guard_free(guard);
    return status;
}

// Scores a table's sequences and passes each to scored_fn. A data set's pairs have the order of the
// table's sequences but lack those that are too short, so one walk finds the sequence of each pair.
static pktseq_status pktseqi_guard_show(const pktseq_guard *guard, const pktseq_table *table,
                                        void (*scored_fn)(void *user_data,
                                                          const pktseq_scored *scored),
                                        void *user_data, pktseq_error *err) {
    const pktseq_allocator *allocator = &guard->options.allocator;
    pktseq_dataset dataset;
    double *score, rate = guard->options.false_positive_rate, threshold = guard->options.threshold;
    pktseq_status status = pktseqi_detector_choose(&guard->detector, 0, &rate, &threshold, err);
    if (!status) status = pktseq_guard_dataset(guard, table, &dataset, err);
    if (status) return status;
    // All are scored before the first is shown: batches sorted by length are faster than single
    // sequences, and after a failure none was shown.
    score = (double *)pktseqi_alloc(allocator, dataset.pairs, sizeof *score);
    status = !score ? pktseqi_no_memory(err)
                    : pktseq_detector_score_all(&guard->detector, &guard->model, &dataset,
                                                guard->options.threads, score, err);
    for (size_t i = 0, s = 0; !status && i < dataset.pairs; ++i) {
        pktseq_scored scored;
        while (table->start[s] < dataset.first_row[i]) ++s;
        scored = pktseq_table_describe(table, s);
        scored.score = score[i];
        scored.threshold = threshold;
        scored_fn(user_data, &scored);
    }
    pktseqi_free(allocator, score);
    pktseq_dataset_free(&dataset);
    return status;
}

PKTSEQ_DEF pktseq_status pktseq_guard_score(const pktseq_guard *guard, const char *path,
                                            void (*scored_fn)(void *user_data,
                                                              const pktseq_scored *scored),
                                            void *user_data, pktseq_error *err) {
    // for pktseq_scored, beside the columns of the model; a file may lack them
    static const char *const keep[] = {"timestamp", "src_ip", "dst_ip", "src_port", "dst_port",
                                       "label"};
    pktseq_schema schema;
    pktseq_table table;
    pktseq_status status;
    if (!pktseqi_guard_ready(guard) || !path || !scored_fn)
        return pktseqi_bad_argument(err, "guard, path or scored_fn is NULL, or nothing is learned");
    schema = pktseq_codec_schema(&guard->codec);
    schema.keep = keep;
    schema.keep_count = PKTSEQI_LENGTH(keep);
    schema.rule = pktseqi_rule_or(&guard->options.rule, schema.rule);
    status = pktseq_table_read(&table, path, &schema, &guard->options.allocator, err);
    if (status) return status;
    status = pktseqi_error_in(err, pktseqi_guard_show(guard, &table, scored_fn, user_data, err),
                              path);
    pktseq_table_free(&table);
    return status;
}
#endif

// Inputs and first token are the model's: it forecasts as it was trained.
PKTSEQ_DEF pktseq_status pktseq_guard_dataset(const pktseq_guard *guard, const pktseq_table *table,
                                              pktseq_dataset *dataset, pktseq_error *err) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    if (dataset) memset(dataset, 0, sizeof *dataset);
    if (!pktseqi_guard_ready(guard))
        return pktseqi_bad_argument(err, "guard is NULL or has learned nothing");
    options.inputs = guard->model.config.inputs;
    options.start = guard->model.config.start;
    return pktseq_dataset_init(dataset, &guard->codec, table, &options, &guard->options.allocator,
                               err);
}

// The watcher points at the guard's model, codec and detector, so it is made with the first packet
// and not when the guard is: a guard that a function returns by value has moved in between.
PKTSEQ_DEF pktseq_status pktseq_guard_watch(pktseq_guard *guard, const pktseq_packet *packet,
                                            pktseq_error *err) {
    pktseq_watcher_options options;
    pktseq_status status;
    if (!pktseqi_guard_ready(guard))
        return pktseqi_bad_argument(err, "guard is NULL or has learned nothing");
    if (!guard->watcher.state) {
        memset(&options, 0, sizeof options);
        options.rule = guard->options.rule;
        options.threshold = guard->options.threshold;
        options.false_positive_rate = guard->options.false_positive_rate;
        options.adapt = guard->options.adapt;
        options.alarm_fn = guard->options.alarm_fn;
        options.user_data = guard->options.user_data;
        status = pktseq_watcher_init(&guard->watcher, &guard->model, &guard->codec,
                                     &guard->detector, &options, &guard->options.allocator, err);
        if (status) return status;
    }
    // a watcher's push fails for lack of memory or because of the packet
    status = packet ? pktseq_watcher_push(&guard->watcher, packet) : PKTSEQ_OK;
    if (status == PKTSEQ_ERROR_MEMORY) return pktseqi_no_memory(err);
    return status ? pktseqi_bad_argument(err, packet->protocol ? "the packet's time is not finite"
                                                               : "the packet's protocol is NULL")
                  : pktseqi_ok(err);
}

PKTSEQ_DEF void pktseq_guard_tick(pktseq_guard *guard, double now) {
    // before the first packet there is nothing to end
    if (guard && guard->watcher.state) pktseq_watcher_tick(&guard->watcher, now);
}

// The watcher is freed first, since it borrows the others.
PKTSEQ_DEF void pktseq_guard_free(pktseq_guard *guard) {
    if (!guard) return;
    pktseq_watcher_free(&guard->watcher);
    pktseq_training_free(&guard->training);
    pktseq_detector_free(&guard->detector);
    pktseq_model_free(&guard->model);
    pktseq_codec_free(&guard->codec);
    memset(guard, 0, sizeof *guard);
}

PKTSEQI_COLD_END
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#pragma GCC pop_options
#elif defined(__FAST_MATH__) && __clang_major__ >= 12
#pragma float_control(pop)
#endif
#ifdef __cplusplus
}
#endif
#endif  // PKTSEQI_SECOND_PART
#endif  // PKTSEQ_IMPLEMENTATION

/*
MIT No Attribution

Copyright 2026 the pktseq authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
