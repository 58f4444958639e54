import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/**
 * One OpenSearch node on a loopback port, until a signal stops it. Arguments: FOLDER PORT PLUGINS [SETTING=VALUE ...];
 * PLUGINS are class names on the class path with commas between, or nothing.
 * Ends with status 1 when the node cannot start: its threads would otherwise keep the process alive.
 */
public final class LoopbackNode {
  public static void main(String[] arguments) throws InterruptedException {
    var runner = new OpenSearchRunner();
    try {
      start(runner, arguments);
    } catch (Throwable problem) {
      problem.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
    new CountDownLatch(1).await();
  }

  private static void start(OpenSearchRunner runner, String[] arguments) {
    var folder = Path.of(arguments[0]).toAbsolutePath();
    runner.setMaxHttpPort(-1); // the asked port or none: no search for a free one
    runner.onBuild((node, settings) -> {
      settings.put("network.host", "127.0.0.1");
      settings.put("http.port", arguments[1]);
      settings.put("transport.port", "0");
      settings.put("discovery.type", "single-node");
      settings.putList("node.roles", "cluster_manager", "data", "ingest");
      settings.put("path.repo", folder.resolve("snapshots").toString());
      // A disk that is nearly full would turn indices read-only in the middle of a test.
      settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
      for (int at = 3; at < arguments.length; at++) {
        var setting = arguments[at].split("=", 2);
        settings.put(setting[0], setting[1]);
      }
    });
    var wanted = OpenSearchRunner.newConfigs().basePath(folder.toString()).numOfNode(1).clusterName("ingest");
    if (!arguments[2].isEmpty()) {
      wanted.pluginTypes(arguments[2]);
    }
    runner.build(wanted);
  }

  private static void close(OpenSearchRunner runner) {
    try {
      runner.close();
    } catch (Exception problem) {
      problem.printStackTrace();
    }
  }
}
