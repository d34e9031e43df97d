// The control plane of Kubernetes in one program: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, one of
// them by the first argument. There is no kubelet, so no container runs: it is for asking the real API about manifests.
package main

import (
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var parts = map[string]func() *cobra.Command{
	"etcd":      etcd,
	"apiserver": apiserver.NewAPIServerCommand,
	"manager":   manager.NewControllerManagerCommand,
	"scheduler": func() *cobra.Command { return scheduler.NewSchedulerCommand() },
}

func etcd() *cobra.Command {
	return &cobra.Command{
		Use:  "etcd FOLDER CLIENT-URL PEER-URL",
		Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error { return serve(args[0], args[1], args[2]) },
	}
}

// Serves until SIGTERM. Nothing is synced to the disk: what is in it lasts as long as a test.
func serve(folder, client, peer string) error {
	settings := embed.NewConfig()
	settings.Dir = filepath.Clean(folder)
	settings.UnsafeNoFsync = true
	settings.LogLevel = "warn"
	clients, err := url.Parse(client)
	if err != nil {
		return err
	}
	peers, err := url.Parse(peer)
	if err != nil {
		return err
	}
	settings.ListenClientUrls, settings.AdvertiseClientUrls = []url.URL{*clients}, []url.URL{*clients}
	settings.ListenPeerUrls, settings.AdvertisePeerUrls = []url.URL{*peers}, []url.URL{*peers}
	settings.InitialCluster = settings.InitialClusterFromName(settings.Name)
	server, err := embed.StartEtcd(settings)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}

func main() {
	if len(os.Args) < 2 || parts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: control-plane etcd|apiserver|manager|scheduler …")
		os.Exit(2)
	}
	command := parts[os.Args[1]]()
	os.Args = append(os.Args[:1], os.Args[2:]...)
	os.Exit(cli.Run(command))
}
