import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Kafka's tools one after another in one JVM, since starting it costs more than most tools.
 *
 * Standard input: a line per run, fields between U+001F: file for the tool's standard input, class, arguments.
 * Standard output: per run "code bytes-of-output bytes-of-errors\n" and then these bytes.
 */
public class Tools {
    /** Thrown where the tool would have ended the process. Tools may catch it and exit again: the first code counts. */
    private static final class Ended extends Error {
    }

    /** System.in, out and err as the tools know them for good (some keep them in static fields), over those of this run. */
    private static final AtomicReference<InputStream> IN = new AtomicReference<>(InputStream.nullInputStream());
    private static final AtomicReference<OutputStream> OUT = new AtomicReference<>(new ByteArrayOutputStream());
    private static final AtomicReference<OutputStream> ERR = new AtomicReference<>(new ByteArrayOutputStream());
    private static final AtomicReference<Integer> CODE = new AtomicReference<>();

    public static void main(String[] ignored) throws Exception {
        PrintStream answers = System.out;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setIn(new InputStream() {
            @Override
            public int read() throws IOException {
                return IN.get().read();
            }

            @Override
            public int read(byte[] into, int from, int count) throws IOException {
                return IN.get().read(into, from, count);
            }
        });
        System.setOut(new PrintStream(over(OUT), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(over(ERR), true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        Exit.setShutdownHookAdder((name, hook) -> { });
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\u001f", -1);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            OUT.set(out);
            ERR.set(err);
            CODE.set(null);
            int code = run(fields[0], fields[1], Arrays.copyOfRange(fields, 2, fields.length));
            System.out.flush();
            System.err.flush();
            byte[] said = out.toByteArray();
            byte[] errors = err.toByteArray();
            answers.printf("%d %d %d\n", code, said.length, errors.length);
            answers.write(said);
            answers.write(errors);
            answers.flush();
        }
    }

    private static int run(String stdin, String tool, String[] arguments) {
        try (InputStream in = stdin.isEmpty() ? InputStream.nullInputStream() : new FileInputStream(stdin)) {
            IN.set(in);
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return CODE.get() == null ? 0 : CODE.get();
        } catch (InvocationTargetException thrown) {
            if (CODE.get() != null) {
                return CODE.get();
            }
            thrown.getCause().printStackTrace();
            return 1;
        } catch (Exception error) {
            error.printStackTrace();
            return 1;
        }
    }

    private static void end(int code) {
        CODE.compareAndSet(null, code);
        throw new Ended();
    }

    private static OutputStream over(AtomicReference<OutputStream> stream) {
        return new OutputStream() {
            @Override
            public void write(int one) throws IOException {
                stream.get().write(one);
            }

            @Override
            public void write(byte[] bytes, int from, int count) throws IOException {
                stream.get().write(bytes, from, count);
            }
        };
    }
}
