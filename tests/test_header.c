// test_header.c - section >>header: columns by their names and aliases, and those that are
// missing.
#include "inside.h"
#include "tables.h"

// Every alias of every column, one at a time.
static void test_aliases(void) {
    static const char *const alias[][2] = {
        {"timestamp", "Time"}, {"src_ip", "Source"}, {"dst_ip", "Destination"},
        {"protocol", "Protocol"}, {"length", "Length"}, {"src_port", "Source port"},
        {"dst_port", "Dest port"}, {"res", "Reserved"}, {"ns", "Nonce"},
        {"cwr", "Congestion Window Reduced (CWR)"}, {"ecn", "ECN-Echo"}, {"urg", "Urgent"},
        {"ack", "Acknowledgment"}, {"push", "Push"}, {"reset", "Reset"}, {"syn", "Syn"},
        {"fin", "Fin"}, {"timestamp", "frame.time_relative"}, {"src_ip", "ip.src"},
        {"dst_ip", "ip.dst"}, {"protocol", "_ws.col.Protocol"}, {"protocol", "_ws.col.protocol"},
        {"length", "frame.len"}, {"src_port", "tcp.srcport"}, {"dst_port", "tcp.dstport"},
        {"res", "tcp.flags.res"}, {"ns", "tcp.flags.ns"}, {"ns", "tcp.flags.ae"},
        {"cwr", "tcp.flags.cwr"}, {"ecn", "tcp.flags.ece"}, {"ecn", "tcp.flags.ecn"},
        {"urg", "tcp.flags.urg"}, {"ack", "tcp.flags.ack"}, {"push", "tcp.flags.push"},
        {"reset", "tcp.flags.reset"}, {"syn", "tcp.flags.syn"}, {"fin", "tcp.flags.fin"},
        {"No.", "frame.number"}, {"timestamp", "frame.time_epoch"}, {"src_ip", "ipv6.src"},
        {"dst_ip", "ipv6.dst"},
    };
    for (size_t i = 0; i < sizeof alias / sizeof *alias; ++i) {
        pktseq_field field = {alias[i][0], PKTSEQ_NUMBER, 0, 0, 0, NULL, 0};
        pktseq_schema schema = {&field, 1, 0, 0};
        char csv[200], expected[100];
        sprintf(csv, "\"%s\",position\n7,0\n", alias[i][1]);
        sprintf(expected, "0 1 | %s 7 | gaps 0", alias[i][0]);
        check_taken(alias[i][1], csv, strlen(csv), &schema, expected);
        // A name that has aliases for others still names itself.
        field.column = alias[i][1];
        sprintf(expected, "0 1 | %s 7 | gaps 0", alias[i][1]);
        check_taken(alias[i][1], csv, strlen(csv), &schema, expected);
    }
    // The header lines of the three programs, whole, for the default schema.
    {
        static const char *const header[] = {
            "position,No.,timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,"
            "urg,ack,push,reset,syn,fin\n",
            "position,No.,Time,Source,Destination,Protocol,Length,Source port,Dest port,Reserved,"
            "Nonce,Congestion Window Reduced (CWR),ECN-Echo,Urgent,Acknowledgment,Push,Reset,Syn,"
            "Fin\n",
            "position,frame.number,frame.time_relative,ip.src,ip.dst,_ws.col.Protocol,frame.len,"
            "tcp.srcport,tcp.dstport,tcp.flags.res,tcp.flags.ns,tcp.flags.cwr,tcp.flags.ece,"
            "tcp.flags.urg,tcp.flags.ack,tcp.flags.push,tcp.flags.reset,tcp.flags.syn,"
            "tcp.flags.fin\n",
        };
        pktseq_schema schema = pktseq_schema_default();
        for (size_t i = 0; i < 3; ++i) {
            char csv[1000];
            sprintf(csv, "%s0,1,0.25,10.0.0.1,::1,TLSv1.3,62,49152,443,0,1,0,1,0,1,0,1,0,1\n",
                    header[i]);
            check_taken("whole header", csv, strlen(csv), &schema,
                        "0 1 | timestamp 0.25 | length 62 | res 0 | ns 1 | cwr 0 | ecn 1 | urg 0 "
                        "| ack 1 | push 0 | reset 1 | syn 0 | fin 1 | protocol TLSv1.3 | src_port "
                        "49152 | dst_port 443 | gaps 0");
        }
    }
}

// An IPv6 address in the last column of a capture is found.
static void test_last_column(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    const pktseq_column *src;
    schema.rule = pktseq_rule_default();
    CHECK_THAT(parse_text(&table,
                          "frame.time_relative,ip.src,ip.dst,frame.len,other,ipv6.dst,ipv6.src\n"
                          "0,,,60,x,::2,::1\n1,a,b,61,x,,\n2,,,62,x,::1,::2\n3,b,a,63,x,,\n",
                          &schema, &err) == 0, "%s", err.text);
    src = pktseq_table_column(&table, "src_ip");
    CHECK(src && strcmp(pktseq_column_text(src, 0), "::1") == 0);
    CHECK(src && strcmp(pktseq_column_text(src, 2), "::2") == 0);
    CHECK(src && strcmp(pktseq_column_text(src, 3), "b") == 0);
    pktseq_table_free(&table);
}

// What is missing is said as what the user asked for: a field, or something a field is made of.
static void test_missing(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_PORT),
                             field_of("same_connection", PKTSEQ_FLAG)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    CHECK(parse_text(&table, "position,src_ip,dst_ip,dst_port\n0,a,b,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"src_port\" is missing; found 4 columns"), "%s", err.text);
    CHECK(parse_text(&table, "position,src_ip,dst_ip,src_port\n0,a,b,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"dst_port\" is missing, of which features are made"), "%s", err.text);
    schema.rule = pktseq_rule_default();
    CHECK(parse_text(&table, "timestamp,dst_ip,src_port,dst_port\n0,a,80,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"src_ip\" is missing; found 4 columns"), "%s", err.text);
    CHECK(parse_text(&table, "hello\n", &schema, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "found the text \"hello\", expected a capture"), "%s", err.text);
}

int main(int argc, char **argv) {
    name_path(argc, argv, "build/test_header");
    test_aliases();
    test_last_column();
    test_missing();
    remove(path);
    return check_end("test_header");
}
