//! Each format by an output made by hand, after the programs' sources that the parsers name; then all of
//! them by recorded outputs, where these are, and by damaged ones.

use std::path::Path;

use expect_test::{Expect, expect};

use super::*;

/// What an output gives: the values of each series, the lines that do not fit, and the doubts. It comes in
/// pieces of this length.
fn read_in(length: usize, format: Format, arguments: &str, output: &[u8], aside: &[u8]) -> String {
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    let mut series: Vec<(String, &str, Vec<String>)> = Vec::new();
    let mut take = |_: u64, reading: Reading| {
        let Reading { name, unit, value, at } = reading;
        let at = if let Moment::Utc(millis) = at { format!("@{millis}") } else { String::new() };
        // Ten digits.
        let value = format!("{}{at}", format!("{value:.9e}").parse::<f64>().unwrap());
        match series.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, known, values)) => {
                assert_eq!(*known, unit, "a series has one unit");
                values.push(value);
            }
            None => series.push((name, unit, vec![value])),
        }
    };
    let mut read = Output::new(start(format, &arguments), Box::new(|line| line.replace("pa,ss w", "$PW")));
    output.chunks(length).for_each(|piece| read.push(7, piece, &mut take));
    aside.chunks(length).for_each(|piece| read.aside(piece));
    let (fit, doubts) = read.finish(&mut take);
    let mut text = String::new();
    for (name, unit, values) in series {
        text.push_str(&format!("{name} ({unit}): {}\n", values.join(" ")));
    }
    for line in &fit.first_unread {
        text.push_str(&format!("! {}: {:?}: {}\n", line.line, line.text, line.reason));
    }
    for Doubt { name, reason } in doubts {
        text.push_str(&format!("? {name}: {reason}\n"));
    }
    text.push_str(&format!("{} of {} lines do not fit", fit.unread, fit.lines));
    text
}

#[track_caller]
fn check(format: Format, arguments: &str, output: &str, expect: Expect) {
    let text = read_in(1 << 20, format, arguments, output.as_bytes(), b"");
    expect.assert_eq(&text);
    for length in [1, 2, 7] {
        assert_eq!(read_in(length, format, arguments, output.as_bytes(), b""), text, "pieces of {length}");
    }
}

#[test]
fn sar_has_a_table_for_each_kind_and_times_of_one_or_two_words() {
    check(
        Format::Sar,
        "1",
        "Linux 6.1.0-28-amd64 (box) \t11/28/2026 \t_x86_64_\t(2 CPU)\n\
         \n\
         07:26:48 PM     CPU     %user     %nice   %system   %iowait    %steal     %idle\n\
         07:26:49 PM     all     53.85      0.00      6.67      0.51      0.00     38.97\n\
         07:26:49 PM       0     50.00      0.00      0.00      0.00      0.00     50.00\n\
         \n\
         07:26:48 PM kbmemfree kbmemused  %memused\n\
         07:26:49 PM     1000       24      2.34\n\
         \n\
         07:26:48 PM     IFACE   rxpck/s    rxkB/s   %ifutil\n\
         07:26:49 PM      eth0      7.00      2.00      0.50\n\
         \n\
         Average:        CPU     %user     %nice   %system   %iowait    %steal     %idle\n\
         Average:        all     56.37      0.00      2.72      0.34      0.00     40.58\n",
        expect![[r#"
            cpu.all.user (1): 0.5385
            cpu.all.nice (1): 0
            cpu.all.system (1): 0.0667
            cpu.all.iowait (1): 0.0051
            cpu.all.steal (1): 0
            cpu.all.idle (1): 0.3897
            cpu.0.user (1): 0.5
            cpu.0.nice (1): 0
            cpu.0.system (1): 0
            cpu.0.iowait (1): 0
            cpu.0.steal (1): 0
            cpu.0.idle (1): 0.5
            memfree (By): 1024000
            memused (By): 24576
            memused.share (1): 0.0234
            iface.eth0.rxpck (/s): 7
            iface.eth0.received (By/s): 2048
            iface.eth0.ifutil (1): 0.005
            0 of 14 lines do not fit"#]],
    );
}

#[test]
fn sar_in_other_languages_has_commas_and_other_times() {
    check(
        Format::Sar,
        "1",
        "Linux 6.1.0 (box) \t28.11.2026 \t_x86_64_\t(2 CPU)\n\n\
         19.26.45        CPU     %user     %idle\n\
         19.26.46        all     14,57     85,43\n\
         \n\
         19:26:46 下午   CPU     %user     %idle\n\
         19:26:47 下午   all      1,00     99,00\n\
         \n\
         Moyenne :       all      7,00     93,00\n\
         Durchschn.:     all      7,00     93,00\n",
        expect![[r#"
            cpu.all.user (1): 0.1457 0.01
            cpu.all.idle (1): 0.8543 0.99
            0 of 10 lines do not fit"#]],
    );
}

#[test]
fn lines_of_sar_that_do_not_fit_are_shown_and_not_guessed() {
    check(
        Format::Sar,
        "1",
        "19:26:45        all     14.57     85.43\n\
         19:26:45        CPU     %user     %idle\n\
         19:26:46        all     14.57\n\
         19:26:47        all     14.57     85.43     99.99\n\
         19:26:48        all     nan     85.43\n\
         19:26:48  LINUX RESTART\t(2 CPU)\n\
         Cannot open /proc/stat: No such file\n\
         19:26:49        CPU     %user     %idle\n\
         19:26:50        all     15.00     85.00\n\
         19:26:51        all     16.00     84.",
        expect![[r#"
            cpu.all.user (1): 0.15
            cpu.all.idle (1): 0.85
            ! 1: "19:26:45        all     14.57     85.43": no line of names came before it
            ! 3: "19:26:46        all     14.57": it has 1 values, its table 2
            ! 4: "19:26:47        all     14.57     85.43     99.99": it has 3 values, its table 2
            ! 5: "19:26:48        all     nan     85.43": `nan` is no number
            ! 7: "Cannot open /proc/stat: No such file": it does not begin with a time, and is no average
            6 of 10 lines do not fit"#]],
    );
}

#[test]
fn sadf_gives_the_times_of_its_entries() {
    let entry = |second: u32, idle: &str| {
        format!(
            "\t\t\t\t{{\n\t\t\t\t\t\"timestamp\": {{\"date\": \"2026-11-28\", \"time\": \"19:27:{second}\", \"utc\": 1, \"interval\": 1}},\n\
             \t\t\t\t\t\"cpu-load\": [\n\t\t\t\t\t\t{{\"cpu\": \"all\", \"user\": 56.22, \"idle\": {idle}}}\n\t\t\t\t\t],\n\
             \t\t\t\t\t\"memory\": {{\"memused\": 10, \"memused-percent\": 0.72}},\n\
             \t\t\t\t\t\"network\": {{\n\t\t\t\t\t\t\"net-dev\": [\n\t\t\t\t\t\t\t{{\"iface\": \"lo\", \"rxpck\": 1.00, \"rxkB\": 2.00}}\n\t\t\t\t\t\t]\n\t\t\t\t\t}}\n\t\t\t\t}}"
        )
    };
    let head =
        "{\"sysstat\": {\n\t\"hosts\": [\n\t\t{\n\t\t\t\"nodename\": \"box {\",\n\t\t\t\"statistics\": [\n";
    let tail = "\n\t\t\t],\n\t\t\t\"restarts\": [\n\t\t\t\t{\"boot\": {\"date\": \"2026-11-28\"}}\n\t\t\t]\n\t\t}\n\t]\n}}\n";
    check(
        Format::SadfJson,
        "",
        &format!("{head}{},\n{}{tail}", entry(13, "42.79"), entry(14, "41.71")),
        expect![[r#"
            cpu.all.idle (1): 0.4279@1795894033000 0.4171@1795894034000
            cpu.all.user (1): 0.5622@1795894033000 0.5622@1795894034000
            memory.memused (By): 10240@1795894033000 10240@1795894034000
            memory.memused.share (1): 0.0072@1795894033000 0.0072@1795894034000
            iface.lo.rxkB (By/s): 2048@1795894033000 2048@1795894034000
            iface.lo.rxpck (/s): 1@1795894033000 1@1795894034000
            0 of 36 lines do not fit"#]],
    );
    // A document that breaks off keeps the entries that are whole.
    check(
        Format::SadfJson,
        "",
        &format!("Cannot open\n{head}{},\n{}", entry(13, "42.79"), &entry(14, "41.71")[..90]),
        expect![[r#"
            cpu.all.idle (1): 0.4279@1795894033000
            cpu.all.user (1): 0.5622@1795894033000
            memory.memused (By): 10240@1795894033000
            memory.memused.share (1): 0.0072@1795894033000
            iface.lo.rxkB (By/s): 2048@1795894033000
            iface.lo.rxpck (/s): 1@1795894033000
            ! 1: "Cannot open": it is no JSON
            ! 19: "": the document breaks off
            2 of 20 lines do not fit"#]],
    );
    check(
        Format::SadfJson,
        "",
        &format!("{head}{}{tail}", entry(13, "42.79").replace("\"utc\": 1, ", "")),
        expect![[r#"
            ! 17: "\t\t\t\t}": its times are not in UTC; leave `-T` and `-U` out
            1 of 24 lines do not fit"#]],
    );
}

#[test]
fn free_has_the_unit_of_its_options() {
    let table = "               total        used        free      shared  buff/cache   available\n\
                 Mem:            1000         400         300           8         200         600\n\
                 Swap:             10           0          10\n\n";
    check(
        Format::Free,
        "free -s 1",
        table,
        expect![[r#"
        memory.total (By): 1024000
        memory.used (By): 409600
        memory.free (By): 307200
        memory.shared (By): 8192
        memory.buff_cache (By): 204800
        memory.available (By): 614400
        swap.total (By): 10240
        swap.used (By): 0
        swap.free (By): 10240
        0 of 4 lines do not fit"#]],
    );
    check(
        Format::Free,
        "numactl -m 0 /usr/bin/free -ms 1",
        table,
        expect![[r#"
        memory.total (By): 1048576000
        memory.used (By): 419430400
        memory.free (By): 314572800
        memory.shared (By): 8388608
        memory.buff_cache (By): 209715200
        memory.available (By): 629145600
        swap.total (By): 10485760
        swap.used (By): 0
        swap.free (By): 10485760
        0 of 4 lines do not fit"#]],
    );
    check(
        Format::Free,
        "free -h",
        table,
        expect![[r#"
        ! 2: "Mem:            1000         400         300           8         200         600": `-h` and `--si` round values and give each its own unit; leave them out
        ! 3: "Swap:             10           0          10": `-h` and `--si` round values and give each its own unit; leave them out
        2 of 4 lines do not fit"#]],
    );
    for (command, unit) in
        [("free -ms1", 1048576.0), ("free -lwt --seconds=1 -c 3 --giga", 1e9), ("free --count 3 -bs 1", 1.0)]
    {
        let text = read_in(99, Format::Free, command, table.as_bytes(), b"");
        assert!(text.contains(&format!("memory.total (By): {}\n", 1000.0 * unit)), "{command}: {text}");
    }
    for command in
        ["sh -c free", "sh -c 'free -m'", "sh x.sh -m", "free --si -m", "free -m -g", "free --meb", "free x"]
    {
        let text = read_in(99, Format::Free, command, table.as_bytes(), b"");
        assert!(text.starts_with("! 2") && text.ends_with("2 of 4 lines do not fit"), "{command}: {text}");
    }
    check(
        Format::Free,
        "free",
        "             gesamt     benutzt        frei     gemns.  Puffer/Cache verfügbar\n\
         Speicher:      1000         400         300           8         200         600\n",
        expect![[r#"
            ! 1: "             gesamt     benutzt        frei     gemns.  Puffer/Cache verfügbar": its columns are not those of `free` in English (`LC_ALL=C`)
            ! 2: "Speicher:      1000         400         300           8         200         600": its label is none of `free` in English (`LC_ALL=C`)
            2 of 2 lines do not fit"#]],
    );
}

#[test]
fn iotop_tells_of_the_machine_from_the_second_table_on() {
    let output = "Warning: task_delayacct is 0, enable by: echo 1 > /proc/sys/kernel/task_delayacct\n\
         \x20 Total DISK READ:    0.00 B/s |   Total DISK WRITE:    0.00 B/s\n\
         Current DISK READ:    0.00 B/s | Current DISK WRITE:    0.00 B/s\n\
         \x20  PID PRIO     USER   DISK READ  DISK WRITE SWAPIN     IO COMMAND\n\
         \x20 4242 be/4 user1         0.00 B/s    0.00 B/s 0.00 % 0.00 % lp-worker\n\
         \x20 Total DISK READ:    0.50 K/s |   Total DISK WRITE:    4.00 M/s\n\
         Current DISK READ:    0.00 B/s | Current DISK WRITE:    2.00 G/s\n\
         \x20  PID PRIO     USER   DISK READ  DISK WRITE SWAPIN     IO COMMAND\n\
         \x20 4242 be/4 user1         0.00 B/s    4.97 M/s ?unavailable? sh -c\n\
         Total breaks a line\n";
    check(
        Format::IotopC,
        "-b -P",
        output,
        expect![[r#"
        total.read (By/s): 512
        total.written (By/s): 4194304
        current.read (By/s): 0
        current.written (By/s): 2147483648
        0 of 10 lines do not fit"#]],
    );
    check(
        Format::Iotop,
        "-b --si",
        &format!("what?\n{output}"),
        expect![[r#"
        total.read (By/s): 500
        total.written (By/s): 4000000
        current.read (By/s): 0
        current.written (By/s): 2000000000
        ! 1: "what?": it is no line of totals, and no table of processes has begun
        1 of 11 lines do not fit"#]],
    );
    expect![[r#"
        total.read (By/s): 512
        total.written (By/s): 4194304
        current.read (By/s): 0
        current.written (By/s): 2147483648
        ? total.: `iotop-c` may not ask the kernel for the I/O of processes (it lacks NET_ADMIN), so the totals that it prints are no measurement
        0 of 10 lines do not fit"#]].assert_eq(&read_in(
        9,
        Format::IotopC,
        "-b",
        output.as_bytes(),
        b"fatal reply error, -1\n",
    ));
}

#[test]
fn pcm_has_two_lines_of_names_and_amounts_of_an_interval() {
    check(
        Format::Pcm,
        "1 -csv",
        "System,System,System,System,System,System,System Core C-States,System,Socket 0,Socket 0,Socket 0,SKT0 Package C-State,Proc Energy (Joules),Core0 (Socket 0),\n\
         Date,Time,EXEC,L3HIT,READ,WRITE,C0res%,Proc Energy (Joules),CFREQ,READ,TEMP,C6res%,SKT0,L3HIT,\n\
         2026-11-28,23:59:59.500,0.1,0.5,1.5,0.5,25,10,2.4,1.5,41,50,10,0.4,\n\
         2026-11-29,00:00:00.500,0.1,0.25,2,1e-3,50,20,2.5,2,N/A,50,20,0.4,\n\
         2026-11-29,00:00:02.500,0.1,0.25,2,1e-3,50,20,\n\
         2026-11-29,00:00:02.500,0.1,0.25,4,1,50,30,2.5,4,40,50,30,0.4,",
        expect![[r#"
            system.l3.hits (1): 0.5 0.25 0.25
            system.core.c0 (1): 0.25 0.5 0.5
            socket0.frequency (Hz): 2400000000 2500000000 2500000000
            socket0.temperature.headroom (Cel): 41 40
            socket0.package.c6 (1): 0.5 0.5 0.5
            system.memory.read (By/s): 2000000000
            system.memory.written (By/s): 1000000
            system.power.package (W): 20
            socket0.memory.read (By/s): 2000000000
            socket0.power.package (W): 20
            ! 5: "2026-11-29,00:00:02.500,0.1,0.25,2,1e-3,50,20,": it has 8 fields, its columns are 14
            1 of 6 lines do not fit"#]],
    );
    check(
        Format::Pcm,
        "1 -csv",
        "System;System;System;\nDate;Time;READ;\n2020-01-01;00:00:00;1;\n2020-01-01;00:00:01;3;\n2020-01-01;00:00:02;3",
        expect![[r#"
            system.memory.read (By/s): 3000000000
            ! 5: "2020-01-01;00:00:02;3": the output ends within this line
            1 of 5 lines do not fit"#]],
    );
}

#[test]
fn qmassa_repeats_values_and_only_the_newest_count() {
    let state = |times: &str, usage: &str, power: &str| {
        format!(
            "{{\"timestamps\":[{times}],\"devs_state\":[{{\"pci_dev\":\"0000:00:02.0\",\"dev_stats\":{{\
             \"mem_info\":[{{\"smem_total\":9,\"smem_used\":7,\"vram_total\":0,\"vram_used\":0}}],\
             \"eng_usage\":{{\"rcs\":[{usage}]}},\"freqs\":[[{{\"cur_freq\":600,\"act_freq\":0}}]],\
             \"power\":[{power}],\"temps\":[[{{\"name\":\"gpu\",\"temp\":50.5}}]],\"fans\":[]}},\"clis_stats\":[]}}]}}\n"
        )
    };
    let power = |gpu: &str| format!("{{\"gpu_cur_power\":{gpu},\"pkg_cur_power\":6.5}}");
    let output = [
        "\"2.2\"\n{\"dev_slots\":null,\"ms_interval\":1000}\n".to_owned(),
        state("1003", "1.5", &power("0.5")),
        state("1003,2003", "1.5,40", &format!("{},{}", power("0.5"), power("9"))),
        state("1003,2003", "1.5,40", &power("0.5")),
        "{\"timestamps\":[3]}\n".to_owned(),
        state("1003,2003,3003", "1.5,40,41", &power("1"))[..100].to_owned(),
    ];
    check(
        Format::Qmassa,
        "-x -t f",
        &output.concat(),
        expect![[r#"
        0000:00:02.0.engine.rcs (1): 0.015 0.4
        0000:00:02.0.memory.system (By): 7 7
        0000:00:02.0.frequency.0.requested (Hz): 600000000 600000000
        0000:00:02.0.frequency.0.actual (Hz): 0 0
        0000:00:02.0.power.gpu (W): 0.5 9
        0000:00:02.0.power.package (W): 6.5 6.5
        0000:00:02.0.temperature.gpu (Cel): 50.5 50.5
        ! 5: "{\"timestamps\":[1003,2003],\"devs_state\":[{\"pci_dev\":\"0000:00:02.0\",\"dev_stats\":{\"mem_info\":[{\"smem_total\":9,\"smem_used\":7,\"vram_total\":0,\"vram_used\":0}],\"eng_usage\":{\"rcs\":[1.5,40]},\"freqs\":[[{\"cur_fre": its update is not newer than the one before
        ! 6: "{\"timestamps\":[3]}": it has no `timestamps` and `devs_state`
        ! 7: "{\"timestamps\":[1003,2003,3003],\"devs_state\":[{\"pci_dev\":\"0000:00:02.0\",\"dev_stats\":{\"mem_info\":[{\"sm": the output ends within this line
        3 of 7 lines do not fit"#]],
    );
}

#[test]
fn upstreams_npu_log_is_a_percentage_each_second() {
    check(
        Format::NpuUsage,
        "",
        "2026-08-20T11:59:50.1,1.00\ntimestamp,percent_usage\n2026-08-20T11:59:51.1,41.20\n\n\
         2026-08-20T11:59:52.1,\nnow,3\n2026-08-20T11:59:53.1,0.00\n2026-08-20T11:59:54.1,1",
        expect![[r#"
            usage (1): 0.412 0
            ! 1: "2026-08-20T11:59:50.1,1.00": the first line must be `timestamp,percent_usage`
            ! 5: "2026-08-20T11:59:52.1,": its second field is no percentage
            ! 6: "now,3": `now` is no time
            ! 8: "2026-08-20T11:59:54.1,1": the output ends within this line
            4 of 8 lines do not fit"#]],
    );
}

#[test]
fn intel_gpu_top_writes_objects_of_which_any_may_be_the_last() {
    let period = |busy: &str| {
        format!(
            "{{\n\t\"period\": {{\n\t\t\"duration\": 1000.1,\n\t\t\"unit\": \"ms\"\n\t}},\n\
             \t\"frequency\": {{\n\t\t\"requested\": 600.0,\n\t\t\"actual\": 599.5,\n\t\t\"unit\": \"MHz\"\n\t}},\n\
             \t\"interrupts\": {{\n\t\t\"count\": 7.0,\n\t\t\"unit\": \"irq/s\"\n\t}},\n\
             \t\"rc6\": {{\n\t\t\"value\": 50.0,\n\t\t\"unit\": \"%\"\n\t}},\n\
             \t\"power\": {{\n\t\t\"GPU\": 1.5,\n\t\t\"Package\": 4.5,\n\t\t\"unit\": \"W\"\n\t}},\n\
             \t\"imc-bandwidth\": {{\n\t\t\"reads\": 2.0,\n\t\t\"writes\": 1.0,\n\t\t\"unit\": \"MiB/s\"\n\t}},\n\
             \t\"engines\": {{\n\t\t\"Render/3D\": {{\n\t\t\t\"busy\": {busy},\n\t\t\t\"unit\": \"%\"\n\t\t}}\n\t}},\n\
             \t\"clients\": {{\n\t\t\"4293539623\": {{\n\t\t\t\"name\": \"a \\\" {{\",\n\t\t\t\"pid\": \"7\"\n\t\t}}\n\t}}\n}}"
        )
    };
    check(
        Format::IntelGpuTop,
        "-J",
        &format!("[\n{},\n{},\n{}", period("25.0"), period("75.0"), &period("1.0")[..200]),
        expect![[r#"
            engine.Render/3D.busy (1): 0.25 0.75
            frequency.actual (Hz): 599500000 599500000
            frequency.requested (Hz): 600000000 600000000
            imc-bandwidth.reads (By/s): 2097152 2097152
            imc-bandwidth.writes (By/s): 1048576 1048576
            interrupts (/s): 7 7
            power.GPU (W): 1.5 1.5
            power.Package (W): 4.5 4.5
            rc6 (1): 0.5 0.5
            ! 98: "": the last object breaks off
            1 of 99 lines do not fit"#]],
    );
    check(
        Format::IntelGpuTop,
        "-J",
        &format!("no GPU\n{}\n{}\n", period("25.0"), period("7,5")),
        expect![[r#"
            engine.Render/3D.busy (1): 0.25
            frequency.actual (Hz): 599500000
            frequency.requested (Hz): 600000000
            imc-bandwidth.reads (By/s): 2097152
            imc-bandwidth.writes (By/s): 1048576
            interrupts (/s): 7
            power.GPU (W): 1.5
            power.Package (W): 4.5
            rc6 (1): 0.5
            ! 1: "no GPU": it is no JSON
            ! 83: "}": the object that ends here is no JSON: key must be a string at line 1 column 385
            2 of 83 lines do not fit"#]],
    );
}

#[test]
fn perf_counts_become_rates_of_their_interval() {
    check(
        Format::PerfStat,
        "stat -x, -I 500",
        "     0.500000000,<not supported>,,cycles,0,100.00,,\n\
         \x20    0.500000000,1000.00,msec,task-clock,1000000000,100.00,2.000,CPUs utilized\n\
         \x20    0.500000000,50,,context-switches,1001877924,100.00,582.904,/sec\n\
         \x20    0.500000000,3.00,Joules,power/energy-pkg/,500000000,100.00,,\n\
         # a comment\n\n\
         \x20    1.500000000,<not counted>,,context-switches,0,0.00,,\n\
         \x20    1.500000000,S0,2,8.00,MiB,uncore_imc/cas_count_read/,1,100.00,,\n\
         \x20    1.500000000,CPU1,5,,page-faults,1,100.00,,\n\
         \x20    1.500000000,500.00,msec,task-clock,1000000000,100.00,0.5,CPUs utilized\n\
         \x20    1.000000000,5,,page-faults,1,100.00,,\n\
         \x20    1,500000000,5,,page-faults,1,100.00,,\n\
         \x20    5,,page-faults,1,100.00,,\n\
         \x20    2.500000000,5,lines,odd,1,100.00,,\n",
        expect![[r#"
            task-clock (1): 2 0.5
            context-switches (/s): 100
            power/energy-pkg/ (W): 6
            uncore_imc/cas_count_read/.S0 (By/s): 8388608
            page-faults.CPU1 (/s): 5
            ! 11: "     1.000000000,5,,page-faults,1,100.00,,": its time is before that of the line before
            ! 12: "     1,500000000,5,,page-faults,1,100.00,,": its field of the event is ``; with decimal commas fields shift: set `LC_ALL=C`, or use `-x ;`
            ! 13: "     5,,page-faults,1,100.00,,": `` is neither a value nor a part of the machine
            ! 14: "     2.500000000,5,lines,odd,1,100.00,,": its unit `lines` is not known
            ? cycles: `perf` says `<not supported>`: this machine, or a guest on it, does not count it
            4 of 14 lines do not fit"#]],
    );
    check(
        Format::PerfStat,
        "",
        "0,500000000;1001,88;msec;task-clock;1001878716;100,00;2,004;CPUs utilized\n",
        expect![[r#"
            task-clock (1): 2.00376
            0 of 1 lines do not fit"#]],
    );
}

#[test]
fn dmon_repeats_its_names_and_units() {
    check(
        Format::NvidiaSmiDmon,
        "dmon",
        "    0    20    36     -     7\n\
         # gpu   pwr gtemp mtemp    sm    fb rxpci\n\
         # Idx     W     C     C     %    MB  MB/s\n\
         \x20   0    20    36     -     7   100     2\n\
         \x20   1     -    40    41   100   200     3\n\
         #Date       Time        gpu   mclk  tviol\n\
         #YYYYMMDD   HH:MM:SS    Idx    MHz   bool\n\
         \x2020210102   19:12:31      0   4006      0\n\
         \x20   0    20\n\
         # no device\n",
        expect![[r##"
            0.pwr (W): 20
            0.gtemp (Cel): 36
            0.sm (1): 0.07
            0.fb (By): 104857600
            0.rxpci (By/s): 2000000
            1.gtemp (Cel): 40
            1.mtemp (Cel): 41
            1.sm (1): 1
            1.fb (By): 209715200
            1.rxpci (By/s): 3000000
            0.mclk (Hz): 4006000000
            ! 1: "    0    20    36     -     7": no names of columns with their units came before it
            ! 9: "    0    20": it has 2 values, its columns are 5
            ! 10: "# no device": it is neither the names of columns nor as many units
            3 of 10 lines do not fit"##]],
    );
    check(
        Format::NvidiaSmiDmon,
        "dmon --format csv",
        "#gpu, pwr, sm\n#Idx, W, %\n0, 20, 7\n#gpu, pwr, sm\n0, 20, 7\n",
        expect![[r#"
            0.pwr (W): 20
            0.sm (1): 0.07
            ! 5: "0, 20, 7": no names of columns with their units came before it
            1 of 5 lines do not fit"#]],
    );
}

#[test]
fn a_line_without_end_or_that_is_no_text_or_impossible_is_not_read() {
    let table = b"timestamp,percent_usage\n";
    let long = [table.as_slice(), &vec![b'1'; MAX_LINE + 9], b"\n2026,5\n2026,\xff\n2026,1e300\n"].concat();
    expect![[r#"
        usage (1): 0.05
        ! 2: "": it is longer than 1024 KiB
        ! 4: "2026,�": it is no UTF-8
        ! 5: "2026,1e300": no machine has a `usage` of 1.0000000000000001e298 (unit `1`)
        3 of 5 lines do not fit"#]]
    .assert_eq(&read_in(4096, Format::NpuUsage, "", &long, b""));
}

#[test]
fn secrets_are_taken_out_before_anything_is_cut_or_split() {
    let long = format!("{}pa,ss w", "0".repeat(KEPT - 3));
    let url = format!("{}://bob:{}@h", "1".repeat(60), "hunter2".repeat(30));
    check(
        Format::PerfStat,
        "",
        &format!(
            "1.0,7,,ev-pa,ss w,1,100.00,,\n1.0,7,,{url},1,100.00,,\n{long}\npa,ss w,7,,,1,100.00\n{url},7\n"
        ),
        expect![[r#"
            ev-$PW (/s): 7
            111111111111111111111111111111111111111111111111111111111111://***@h (/s): 7
            ! 3: "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000$PW": it is no line of `perf stat -x, -I 1000`
            ! 4: "$PW,7,,,1,100.00": it is no line of `perf stat -x, -I 1000`
            ! 5: "111111111111111111111111111111111111111111111111111111111111://***@h,7": it is no line of `perf stat -x, -I 1000`
            3 of 5 lines do not fit"#]],
    );
}

#[test]
fn values_that_no_machine_has_do_not_fit() {
    check(
        Format::Sar,
        "",
        "19:26:45 CPU %user\n19:26:46 all -7.00\n19:26:47 all 900000.00\n19:26:48 all 100.10\n\
         19:26:49 kbcommit %commit\n19:26:50 7 250.00\n19:26:51 -7 250.00\n",
        expect![[r#"
            cpu.all.user (1): 1.001
            commit (By): 7168
            commit.share (1): 2.5
            ! 2: "19:26:46 all -7.00": no machine has a `cpu.all.user` of -7e-2 (unit `1`)
            ! 3: "19:26:47 all 900000.00": no machine has a `cpu.all.user` of 9e3 (unit `1`)
            ! 7: "19:26:51 -7 250.00": no machine has a `commit` of -7.168e3 (unit `By`)
            3 of 7 lines do not fit"#]],
    );
    check(
        Format::NvidiaSmiDmon,
        "dmon",
        "# gpu pwr gtemp sm rxpci\n# Idx W C % MB/s\n0 -5 7 7 7\n0 5 7 250 7\n0 5 7 7 -7\n0 5 -7 7 7\n",
        expect![[r#"
            0.pwr (W): 5
            0.gtemp (Cel): -7
            0.sm (1): 0.07
            0.rxpci (By/s): 7000000
            ! 3: "0 -5 7 7 7": no machine has a `0.pwr` of -5e0 (unit `W`)
            ! 4: "0 5 7 250 7": no machine has a `0.sm` of 2.5e0 (unit `1`)
            ! 5: "0 5 7 7 -7": no machine has a `0.rxpci` of -7e6 (unit `By/s`)
            3 of 6 lines do not fit"#]],
    );
    check(
        Format::NpuUsage,
        "",
        "timestamp,percent_usage\n1,5000\n2,50\n",
        expect![[r#"
        usage (1): 0.5
        ! 2: "1,5000": no machine has a `usage` of 5e1 (unit `1`)
        1 of 3 lines do not fit"#]],
    );
}

#[test]
fn an_interval_of_unknown_length_gives_no_rate() {
    check(
        Format::PerfStat,
        "",
        "1.0,1000,,cs,1,100.00,,\n2.0,1000,,cs,1,100.00,,\n3.0,10?00,,cs\n4.0,1000,,cs,1,100.00,,\n5.0,1000,,cs,1,100.00,,\n\
         x\n6.0,1000,,cs,1,100.00,,\n6.0,7,,faults,1,100.00,,\n7.0,1000,,cs,1,100.00,,\n",
        expect![[r#"
            cs (/s): 1000 1000 1000 1000
            ! 3: "3.0,10?00,,cs": it is no line of `perf stat -x, -I 1000`
            ! 4: "4.0,1000,,cs,1,100.00,,": how long its interval is, is not known, since a line before it could not be read
            ! 6: "x": it is no line of `perf stat -x, -I 1000`
            ! 7: "6.0,1000,,cs,1,100.00,,": how long its interval is, is not known, since a line before it could not be read
            ! 8: "6.0,7,,faults,1,100.00,,": how long its interval is, is not known, since a line before it could not be read
            5 of 9 lines do not fit"#]],
    );
    check(
        Format::Pcm,
        "",
        "System,System,System,\nDate,Time,Proc Energy (Joules),\n\
         2026-03-29,01:59:57,100,\n2026-03-29,01:59:58,100,\n2026-03-29,01:59:59,100,\n2026-03-29,03:00:00,100,\n\
         2026-03-29,03:00:01,100,\n2026-03-29,03:00:0?,100,\n2026-03-29,03:00:03,100,\n2026-03-29,03:00:04,100,\n\
         2026-03-29,02:00:05,100,\n2026-03-29,02:00:06,100,\n",
        expect![[r#"
            system.power.package (W): 100 100 100 100 100
            ! 6: "2026-03-29,03:00:00,100,": it comes 3601000 ms after the row before, and that came after 1000 ms: a clock was set, or a row is missing
            ! 8: "2026-03-29,03:00:0?,100,": `2026-03-29 03:00:0?` is no time
            ! 11: "2026-03-29,02:00:05,100,": its time is not after that of the row before
            3 of 12 lines do not fit"#]],
    );
}

#[test]
fn sar_has_kibibytes_without_saying_so_and_sizes_with_shares() {
    check(
        Format::Sar,
        "",
        "19:26:45 pgpgin/s pgpgout/s fault/s\n19:26:46 2048.00 1.00 7.00\n\
         19:26:45 MBfsfree MBfsused %fsused FILESYSTEM\n19:26:46 100 100 50.00 /dev/sda1\n",
        expect![[r#"
            pgpgin (By/s): 2097152
            pgpgout (By/s): 1024
            fault (/s): 7
            filesystem./dev/sda1.fsfree (By): 104857600
            filesystem./dev/sda1.fsused (By): 104857600
            filesystem./dev/sda1.fsused.share (1): 0.5
            0 of 4 lines do not fit"#]],
    );
}

#[test]
fn a_program_has_a_bounded_number_of_series() {
    let names: String = (0..MOST_SERIES + 7).map(|n| format!("1.0,{n},,event-{n},1,100.00,,\n")).collect();
    let text = read_in(4096, Format::PerfStat, "", names.as_bytes(), b"");
    assert_eq!(text.lines().filter(|line| line.starts_with("event-")).count(), MOST_SERIES);
    assert!(text.contains("? (others): values of more than 500 series were left out"), "{text}");
}

/// A recorded output; `None` where there is none, which is said.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn sample(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/collector-samples").join(name);
    let found = std::fs::read(&path);
    if found.is_err() {
        eprintln!("skipped: there is no {}", path.display());
    }
    found.ok()
}

/// Some values of each recorded output, as its file has them.
#[test]
fn recorded_outputs_are_read_whole() {
    let checks: &[(Format, &str, &str, &[&str], &str)] = &[
        (
            Format::Sar,
            "",
            "sar-u-c.txt",
            &["cpu.all.user (1): 0.1457 0.1393 0.1371", "cpu.all.idle (1): 0.8492"],
            "0 of",
        ),
        (Format::Sar, "", "sar-u-en_US-12h.txt", &["cpu.all.user (1): 0.5385 0.5829 0.5692"], "0 of"),
        (Format::Sar, "", "sar-u-iso.txt", &["cpu.all.idle (1): 0.408 0.397 0.399"], "0 of"),
        (Format::Sar, "", "sar-u-sigint.txt", &["cpu.all.user (1): 0.5685 0.5771 0.5635"], "0 of"),
        (
            Format::Sar,
            "",
            "sar-u-all-P-all-c.txt",
            &["cpu.0.usr (1): 0.9208 0.87", "cpu.1.soft (1): 0 0.0099"],
            "0 of",
        ),
        (
            Format::Sar,
            "",
            "sar-u-r-n-dev-c.txt",
            &[
                "memused (By): 169029632 175112192",
                "memused.share (1): 0.0067 0.0069",
                "iface.eth0.received (By/s): 0 0",
            ],
            "0 of",
        ),
        (
            Format::SadfJson,
            "",
            "sadf-j-u.json",
            &["cpu.all.idle (1): 0.4279@1795894033000 0.4171@1795894034000 0.38@1795894035000"],
            "0 of",
        ),
        (
            Format::SadfJson,
            "",
            "sadf-j-A.json",
            &[
                "cpu.0.usr (1): 0.64@1795894033000",
                "dev.vda.wkB (By/s): 4210688@1795894033000",
                "iface.eth0.rxkB (By/s): 0@1795894033000",
            ],
            "0 of",
        ),
        (
            Format::Free,
            "free -s 1 -c 3",
            "free-s-1-c-3.txt",
            &["memory.used (By): 622530560 622505984 622501888", "swap.total (By): 0 0 0"],
            "0 of",
        ),
        (
            Format::IotopC,
            "-b -P",
            "iotop-c-b-P.txt",
            &[
                "total.written (By/s): 5211422.72 5221908.48 5221908.48",
                "current.written (By/s): 5379194.88 5232394.24 5735710.72",
            ],
            "0 of",
        ),
        (
            Format::Iotop,
            "-b -P",
            "iotop-py-b-P.txt",
            &["total.written (By/s): 5232394.24 5232394.24 5232394.24", "current.read (By/s): 0 0 0"],
            "0 of",
        ),
        (
            Format::PerfStat,
            "",
            "perf-stat-x-I-500.csv",
            &["task-clock (1): 2.0014", "? cycles: `perf` says `<not supported>`"],
            "0 of",
        ),
        (
            Format::Qmassa,
            "",
            "qmassa-2.2-made-by-hand.jsonl",
            &["0000:00:02.0.engine.rcs (1): 0.015 0.4025", "0000:00:02.0.power.package (W): 6.2 21.9"],
            "0 of",
        ),
        (Format::Pcm, "", "pcm-csv-not-intel.stdout.txt", &[], "0 of"),
        (Format::IntelGpuTop, "", "intel_gpu_top-J-no-gpu.stdout.txt", &[], "0 of"),
    ];
    for (format, arguments, name, has, fit) in checks {
        let Some(output) = sample(name) else { continue };
        let text = read_in(1 << 20, *format, arguments, &output, b"");
        for line in *has {
            assert!(text.lines().any(|found| found.starts_with(line)), "{name} lacks `{line}`:\n{text}");
        }
        assert!(text.lines().last().unwrap().starts_with(fit), "{name}:\n{text}");
        for length in [1, 3, 1000] {
            assert_eq!(
                read_in(length, *format, arguments, &output, b""),
                text,
                "{name} in pieces of {length}"
            );
        }
    }
}

#[test]
fn zeros_of_an_iotop_that_may_not_look_are_doubted() {
    let names = ["iotop-c-b-o-P-no-net-admin.stdout.txt", "iotop-c-b-o-P-no-net-admin.stderr.txt"];
    let [Some(output), Some(complaints)] = names.map(sample) else { return };
    let text = read_in(100, Format::IotopC, "-b -o -P", &output, &complaints);
    assert!(text.contains("? total.: `iotop-c` may not ask the kernel"), "{text}");
    assert!(text.contains("current.written (By/s): 5505024 5599395.84"), "{text}");
}

/// Recorded and invented outputs, damaged by chance, to every parser: none panics, values are finite, and
/// pieces change nothing.
#[test]
fn no_bytes_make_a_parser_panic_or_depend_on_pieces() {
    let mut seed: u64 = 1;
    let mut chance = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let names = [
        "sar-u-en_US-12h.txt",
        "sar-u-r-n-dev-c.txt",
        "sadf-j-u.json",
        "free-s-1-c-3.txt",
        "iotop-c-b-P.txt",
        "perf-stat-x-I-500.csv",
        "qmassa-2.2-made-by-hand.jsonl",
    ];
    let mut seeds: Vec<Vec<u8>> = names.iter().filter_map(|name| sample(name)).collect();
    seeds.push(
        b"# gpu pwr\n# Idx W\n 0 7\nSystem,System,System,\nDate,Time,READ,\n2026-01-01,00:00:01.5,1,\n"
            .to_vec(),
    );
    seeds.push(b"[{\"power\": {\"GPU\": 1, \"unit\": \"W\"}},\ntimestamp,percent_usage\n2026,7\n".to_vec());
    for round in 0..400 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=chance(12) {
            let at = chance(bytes.len());
            match chance(5) {
                0 => bytes[at] = u8::try_from(chance(256)).unwrap(),
                1 => bytes[at] = b"\n,;{}[]\":.0-%#"[chance(14)],
                2 => drop(bytes.drain(at..(at + chance(40)).min(bytes.len() - 1).max(at))),
                3 => {
                    let part = bytes[at..(at + chance(60)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => bytes.truncate(at.max(1)),
            }
        }
        for (_, format) in Format::ALL {
            let whole = read_in(1 << 20, *format, "free -m", &bytes, &bytes);
            assert!(!whole.contains("inf") || whole.contains('!'), "{whole}");
            assert_eq!(read_in(1 + chance(50), *format, "free -m", &bytes, &bytes), whole);
        }
    }
}
