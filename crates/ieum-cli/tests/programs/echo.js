// Echoes with libuv's event loop.
//
//     node echo.js serve ADDRESS PORT
//     node echo.js call ADDRESS PORT COUNT   COUNT connections at once, each sends bytes of its own and reads them back
//
// A caller prints how many of its connections got their own bytes back, and exits with 1 if one did not.
"use strict";
const net = require("net");

const PATIENCE_MS = 60000;
const [role, address, port, count] = process.argv.slice(2);

function own(number) {
    return Buffer.from(`connection ${number};`.repeat(1 + ((number * 37) % 2000)));
}

function call(number) {
    return new Promise((resolve) => {
        const sent = own(number);
        const received = [];
        const failed = (why) => {
            console.error(`call ${number}: ${why}`);
            resolve(false);
        };
        const connection = net.connect(Number(port), address, () => connection.end(sent));
        connection.setTimeout(PATIENCE_MS, () => connection.destroy(new Error("nothing came for too long")));
        connection.on("data", (bytes) => received.push(bytes));
        connection.on("error", failed);
        connection.on("end", () => (Buffer.concat(received).equals(sent) ? resolve(true) : failed("other bytes came back")));
    });
}

if (role === "serve") {
    const service = net.createServer({ allowHalfOpen: true }, (connection) => {
        connection.on("error", (error) => console.error(`echo: ${error}`));
        connection.pipe(connection);
    });
    service.listen(Number(port), address, () => console.log("ready"));
} else {
    Promise.all(Array.from({ length: Number(count) }, (_, number) => call(number))).then((outcomes) => {
        const good = outcomes.filter(Boolean).length;
        console.log(`${good} of ${count} connections got their own bytes`);
        process.exitCode = good === outcomes.length ? 0 : 1;
    });
}
